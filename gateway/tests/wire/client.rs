//! A server on a free port, and a client that writes bytes and reads answers as words.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use duckmesh::wire::{Shutdown, WireLimits, cancel::CancelRegistry, listener::listen};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

use crate::fake::{Fake, Ledger};

/// Every wait of a test ends.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Server {
    pub address: SocketAddr,
    pub registry: Arc<CancelRegistry>,
    pub ledger: Arc<Ledger>,
    pub stop: watch::Sender<bool>,
    pub task: JoinHandle<()>,
}

pub async fn server(limits: WireLimits) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let registry = Arc::new(CancelRegistry::default());
    let fake = Arc::new(Fake::default());
    let ledger = Arc::clone(&fake.ledger);
    let (stop, shutdown) = Shutdown::new();
    let task = tokio::spawn(listen(listener, fake, Arc::clone(&registry), Arc::new(limits), shutdown));
    Server { address, registry, ledger, stop, task }
}

pub struct Client {
    pub socket: TcpStream,
    pub id: i32,
    pub key: Vec<u8>,
}

impl Client {
    pub async fn raw(server: &Server) -> Self {
        let socket = TcpStream::connect(server.address).await.unwrap();
        Self { socket, id: 0, key: Vec::new() }
    }

    pub async fn at(address: SocketAddr, user: &str) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        let mut client = Self { socket, id: 0, key: Vec::new() };
        let words = client.ask(&startup(3 << 16, &[("user", user), ("database", "postgres")])).await;
        assert!(words.ends_with("Z:I"), "{words}");
        client
    }

    pub async fn connect(server: &Server) -> Self {
        let mut client = Self::raw(server).await;
        client.send(&startup(3 << 16, &[("user", "ann")])).await;
        assert_eq!(client.until_ready().await, "R S:server_version=15.18 K Z:I");
        client
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        timeout(PATIENCE, self.socket.write_all(bytes)).await.unwrap().unwrap();
    }

    /// Sends and gives all answers up to ReadyForQuery, or to the end of the connection.
    pub async fn ask(&mut self, bytes: &[u8]) -> String {
        self.send(bytes).await;
        self.until_ready().await
    }

    pub async fn until_ready(&mut self) -> String {
        self.until('Z').await
    }

    pub async fn until(&mut self, kind: char) -> String {
        let mut words = Vec::new();
        loop {
            let word = self.message().await;
            let end = word.starts_with(kind) || word == "EOF";
            words.push(word);
            if end {
                return words.join(" ");
            }
        }
    }

    /// The next message as a word.
    pub async fn message(&mut self) -> String {
        timeout(PATIENCE, self.read_message()).await.expect("an answer in time")
    }

    async fn read_message(&mut self) -> String {
        let mut header = [0; 5];
        if self.socket.read_exact(&mut header).await.is_err() {
            return "EOF".to_owned();
        }
        let length = u32::from_be_bytes(header[1..].try_into().unwrap()) as usize;
        let mut body = vec![0; length - 4];
        self.socket.read_exact(&mut body).await.unwrap();
        if header[0] == b'K' {
            self.id = i32::from_be_bytes(body[..4].try_into().unwrap());
            self.key = body[4..].to_vec();
        }
        word(header[0], &body)
    }

    pub async fn byte(&mut self) -> u8 {
        timeout(PATIENCE, self.socket.read_u8()).await.unwrap().unwrap()
    }

    /// Sends a CancelRequest on another connection, and waits until it was taken.
    pub async fn cancel(&self, server: &Server, id: i32, key: &[u8]) {
        cancel_from("127.0.0.1", server, id, key).await;
    }
}

/// The same from another address of this machine.
pub async fn cancel_from(address: &str, server: &Server, id: i32, key: &[u8]) {
    {
        let from = TcpSocket::new_v4().unwrap();
        from.bind((address.parse::<std::net::Ipv4Addr>().unwrap(), 0).into()).unwrap();
        let mut other = Client { socket: from.connect(server.address).await.unwrap(), id: 0, key: Vec::new() };
        let mut packet = (12 + key.len() as u32).to_be_bytes().to_vec();
        packet.extend(80_877_102_u32.to_be_bytes());
        packet.extend(id.to_be_bytes());
        packet.extend(key);
        other.send(&packet).await;
        assert_eq!(other.message().await, "EOF");
    }
}

fn word(kind: u8, body: &[u8]) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let strings = |bytes: &[u8]| bytes.split(|byte| *byte == 0).map(text).collect::<Vec<_>>();
    let kind = char::from(kind);
    match kind {
        'C' => format!("C:{}", strings(body)[0]),
        'Z' => format!("Z:{}", text(body)),
        'S' => format!("S:{}={}", strings(body)[0], strings(body)[1]),
        'E' | 'N' => {
            let fields = strings(body);
            let field = |code| fields.iter().find_map(|field| field.strip_prefix(code)).unwrap_or("").to_owned();
            format!("{kind}:{}/{}/{}", field('S'), field('C'), field('M'))
        }
        'T' => format!("T:{}", strings(&body[2..])[0]),
        'D' => format!("D:{}", text(&body[6..])),
        'd' => format!("d:{}", text(body)),
        't' => format!("t:{}", body[1]),
        'v' => format!("v:{}.{}:{}", body[1], body[3], text(&body[8..])),
        other => other.to_string(),
    }
}

pub fn startup(version: u32, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
    }
    body.push(0);
    packet(&body)
}

pub fn packet(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 4).to_be_bytes(), body].concat()
}

pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &packet(body)].concat()
}

pub fn query(sql: &str) -> Vec<u8> {
    message(b'Q', &[sql.as_bytes(), b"\0"].concat())
}

pub fn parse(name: &str, sql: &str) -> Vec<u8> {
    message(b'P', &[name.as_bytes(), b"\0", sql.as_bytes(), b"\0\0\0"].concat())
}

/// Bind with text parameters.
pub fn bind(portal: &str, statement: &str, params: &[&str]) -> Vec<u8> {
    let mut body = [portal.as_bytes(), b"\0", statement.as_bytes(), b"\0\0\0"].concat();
    body.extend((params.len() as u16).to_be_bytes());
    for param in params {
        body.extend((param.len() as u32).to_be_bytes());
        body.extend(param.as_bytes());
    }
    body.extend([0, 0]);
    message(b'B', &body)
}

pub fn describe(target: &str) -> Vec<u8> {
    message(b'D', &[target.as_bytes(), b"\0"].concat())
}

pub fn close(target: &str) -> Vec<u8> {
    message(b'C', &[target.as_bytes(), b"\0"].concat())
}

pub fn execute(portal: &str, rows: i32) -> Vec<u8> {
    message(b'E', &[portal.as_bytes(), b"\0", &rows.to_be_bytes()].concat())
}

pub fn sync() -> Vec<u8> {
    message(b'S', b"")
}

/// Parse, Bind, Execute of the unnamed statement.
pub fn run(sql: &str) -> Vec<u8> {
    [parse("", sql), bind("", "", &[]), execute("", 0)].concat()
}
