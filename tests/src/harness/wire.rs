//! A small blocking client that shows what is on the wire: types of columns, command tags, every field of an error.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

/// No answer for so long fails the test.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type's oid.
    pub oid: u32,
    /// Its type modifier.
    pub typmod: i32,
    /// The oid of the table it shows a column of, or 0.
    pub table: u32,
    /// The attribute's number in that table, or 0.
    pub attribute: i16,
}

/// A parameter's value on its way to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// NULL.
    Null,
    /// In text form.
    Text(String),
    /// In binary form.
    Binary(Vec<u8>),
}

/// What one statement answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Types of parameters, when there was a ParameterDescription.
    pub parameters: Option<Vec<u32>>,
    /// The bytes of COPY TO STDOUT.
    pub copied: Vec<u8>,
    /// Columns, when there was a RowDescription.
    pub columns: Option<Vec<Column>>,
    /// Rows in text.
    pub rows: Vec<Vec<Option<String>>>,
    /// The command tag.
    pub tag: Option<String>,
    /// Fields of the error by their letter.
    pub error: Option<BTreeMap<char, String>>,
}

impl Answer {
    /// SQLSTATE of the error.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        self.error.as_ref()?.get(&'C').map(String::as_str)
    }
}

/// One connection.
pub struct WireClient {
    stream: TcpStream,
    /// Notices since the connection began.
    pub notices: Vec<BTreeMap<char, String>>,
    /// Parameters as last reported.
    pub parameters: BTreeMap<String, String>,
    /// The state byte of the last ReadyForQuery.
    pub state: char,
    /// Id and key for cancel requests.
    pub key: (i32, Vec<u8>),
    /// Answers of a batch whose end was not waited for.
    partial: (Answer, Vec<Answer>),
}

impl WireClient {
    /// Connects to 127.0.0.1 without password.
    ///
    /// # Panics
    /// When it is refused.
    #[must_use]
    pub fn connect(port: u16, database: &str, user: &str) -> Self {
        Self::try_connect(port, database, user).unwrap_or_else(|e| panic!("cannot connect: {e}"))
    }

    /// Connects, or says why not.
    ///
    /// # Errors
    /// The server's message.
    pub fn try_connect(port: u16, database: &str, user: &str) -> Result<Self, String> {
        let stream = TcpStream::connect(("127.0.0.1", port)).map_err(|e| e.to_string())?;
        stream.set_read_timeout(Some(ANSWER_LIMIT)).map_err(|e| e.to_string())?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        let mut client = Self {
            stream,
            notices: Vec::new(),
            parameters: BTreeMap::new(),
            state: ' ',
            key: (0, Vec::new()),
            partial: (Answer::default(), Vec::new()),
        };
        let mut body = 196_608_i32.to_be_bytes().to_vec();
        for text in ["user", user, "database", database, ""] {
            body.extend_from_slice(text.as_bytes());
            body.push(0);
        }
        let mut message = (i32::try_from(body.len()).unwrap_or(0) + 4).to_be_bytes().to_vec();
        message.extend(body);
        client.stream.write_all(&message).map_err(|e| e.to_string())?;
        let answers = client.answers()?;
        match answers.into_iter().find_map(|answer| answer.error) {
            Some(error) => Err(format!("{error:?}")),
            None => Ok(client),
        }
    }

    /// Runs a query string; one answer for each of its statements.
    ///
    /// # Panics
    /// When the connection is lost.
    pub fn query(&mut self, sql: &str) -> Vec<Answer> {
        self.try_query(sql).unwrap_or_else(|e| panic!("{sql}\n{e}"))
    }

    /// Runs a query string; what came before the connection was lost is lost, too.
    ///
    /// # Errors
    /// Of the connection.
    pub fn try_query(&mut self, sql: &str) -> Result<Vec<Answer>, String> {
        let mut body = sql.as_bytes().to_vec();
        body.push(0);
        self.send(b'Q', &body)?;
        self.answers()
    }

    /// One statement in the extended protocol: Parse with the types given, Describe, Bind, Execute with results in text.
    ///
    /// # Errors
    /// Of the connection.
    pub fn try_extended(&mut self, sql: &str, types: &[u32], values: &[Value]) -> Result<Answer, String> {
        let count = |n: usize| i16::try_from(n).unwrap_or(i16::MAX).to_be_bytes();
        let mut parse = vec![0];
        parse.extend(sql.as_bytes());
        parse.push(0);
        parse.extend(count(types.len()));
        types.iter().for_each(|oid| parse.extend(oid.to_be_bytes()));
        let mut bind = vec![0, 0];
        bind.extend(count(values.len()));
        values.iter().for_each(|value| bind.extend(i16::from(matches!(value, Value::Binary(_))).to_be_bytes()));
        bind.extend(count(values.len()));
        for value in values {
            let bytes = match value {
                Value::Null => {
                    bind.extend((-1_i32).to_be_bytes());
                    continue;
                }
                Value::Text(text) => text.as_bytes(),
                Value::Binary(bytes) => bytes,
            };
            bind.extend(i32::try_from(bytes.len()).unwrap_or(0).to_be_bytes());
            bind.extend(bytes);
        }
        bind.extend(count(0));
        self.send(b'P', &parse)?;
        self.send(b'D', b"S\0")?;
        self.send(b'B', &bind)?;
        self.send(b'E', &[0; 5])?;
        self.send(b'S', &[])?;
        let mut answers = self.answers()?;
        if answers.len() != 1 {
            return Err(format!("{} answers to one statement", answers.len()));
        }
        Ok(answers.remove(0))
    }

    /// The text of a COPY: sends it when the server asks, and gives the statement's answer. `cut` leaves without CopyDone.
    ///
    /// # Errors
    /// Of the connection.
    pub fn copy_in(
        &mut self,
        sql: &str,
        pieces: &mut dyn Iterator<Item = Vec<u8>>,
        end: CopyEnd,
    ) -> Result<Vec<Answer>, String> {
        let mut body = sql.as_bytes().to_vec();
        body.push(0);
        self.send(b'Q', &body)?;
        let (kind, body) = self.receive()?;
        if kind != b'G' {
            let mut answers = Vec::new();
            let mut answer = Answer::default();
            let done = self.take(kind, &body, &mut answer, &mut answers)?;
            return if done { Ok(answers) } else { self.answers_after(answer, answers) };
        }
        for piece in pieces {
            self.send(b'd', &piece)?;
        }
        match end {
            CopyEnd::Done => self.send(b'c', &[])?,
            CopyEnd::Fail => self.send(b'f', b"given up\0")?,
            CopyEnd::Cut => {
                self.stream.shutdown(std::net::Shutdown::Both).map_err(|e| e.to_string())?;
                return Ok(Vec::new());
            }
        }
        self.answers()
    }

    /// Sends one message.
    ///
    /// # Errors
    /// Of the connection.
    pub fn send(&mut self, kind: u8, body: &[u8]) -> Result<(), String> {
        let mut message = Vec::with_capacity(body.len() + 5);
        message.push(kind);
        message.extend((i32::try_from(body.len()).unwrap_or(0) + 4).to_be_bytes());
        message.extend(body);
        self.stream.write_all(&message).map_err(|e| e.to_string())
    }

    fn answers(&mut self) -> Result<Vec<Answer>, String> {
        self.answers_after(Answer::default(), Vec::new())
    }

    /// The answers to what was sent, if they are all there before this time is over; else none yet.
    ///
    /// # Errors
    /// Of the connection.
    pub fn answers_within(&mut self, time: Duration) -> Result<Option<Vec<Answer>>, String> {
        let (mut answer, mut answers) = std::mem::take(&mut self.partial);
        loop {
            self.stream.set_read_timeout(Some(time)).map_err(|e| e.to_string())?;
            let mut first = [0];
            let seen = self.stream.peek(&mut first);
            self.stream.set_read_timeout(Some(ANSWER_LIMIT)).map_err(|e| e.to_string())?;
            if seen.is_err_and(|e| matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)) {
                self.partial = (answer, answers);
                return Ok(None);
            }
            let (kind, body) = self.receive()?;
            if self.take(kind, &body, &mut answer, &mut answers)? {
                return Ok(Some(answers));
            }
        }
    }

    fn answers_after(&mut self, mut answer: Answer, mut answers: Vec<Answer>) -> Result<Vec<Answer>, String> {
        loop {
            let (kind, body) = self.receive()?;
            if self.take(kind, &body, &mut answer, &mut answers)? {
                return Ok(answers);
            }
        }
    }

    /// Takes one message; true when it was the last of the answer.
    fn take(&mut self, kind: u8, body: &[u8], answer: &mut Answer, answers: &mut Vec<Answer>) -> Result<bool, String> {
        let mut bytes = Bytes(body);
        match kind {
            b'T' => {
                let count = bytes.i16();
                answer.columns = Some((0..count).map(|_| bytes.column()).collect());
            }
            b'D' => {
                let count = bytes.i16();
                answer.rows.push((0..count).map(|_| bytes.value()).collect());
            }
            // CopyData of COPY TO STDOUT: a row of one value.
            b'd' => {
                answer.copied.extend_from_slice(body);
                answer.rows.push(vec![Some(String::from_utf8_lossy(body).into_owned())]);
            }
            b'C' => {
                answer.tag = Some(bytes.text());
                answers.push(std::mem::take(answer));
            }
            b'I' => answers.push(std::mem::take(answer)),
            b'E' => {
                answer.error = Some(bytes.fields());
                let fatal = answer.error.as_ref().and_then(|e| e.get(&'V')).is_some_and(|v| v == "FATAL");
                answers.push(std::mem::take(answer));
                return Ok(fatal);
            }
            b'N' => self.notices.push(bytes.fields()),
            b'S' => {
                let name = bytes.text();
                self.parameters.insert(name, bytes.text());
            }
            b'Z' => {
                self.state = body.first().map_or(' ', |b| char::from(*b));
                return Ok(true);
            }
            b't' => {
                let count = bytes.i16();
                answer.parameters = Some((0..count).map(|_| u32::from_be_bytes(bytes.i32().to_be_bytes())).collect());
            }
            b'K' => {
                let id = bytes.i32();
                self.key = (id, bytes.0.to_vec());
            }
            b'R' | b'H' | b'c' | b'1' | b'2' | b'n' | b's' | b'3' | b'A' => {}
            // COPY FROM STDIN of a statement that gives no data: refused, so that the server goes on.
            b'G' => self.send(b'f', b"no data\0")?,
            other => return Err(format!("unexpected message {:?}", char::from(other))),
        }
        Ok(false)
    }

    /// Takes one message: its kind and its body.
    ///
    /// # Errors
    /// Of the connection.
    pub fn receive(&mut self) -> Result<(u8, Vec<u8>), String> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head).map_err(|e| format!("connection lost: {e}"))?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut body = vec![0; length.saturating_sub(4) as usize];
        self.stream.read_exact(&mut body).map_err(|e| format!("connection lost: {e}"))?;
        Ok((head[0], body))
    }
}

/// How a COPY FROM STDIN ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyEnd {
    /// CopyDone.
    Done,
    /// CopyFail.
    Fail,
    /// The connection is cut.
    Cut,
}

/// Whether a server on this port takes connections.
#[must_use]
pub fn answers(port: u16) -> bool {
    WireClient::try_connect(port, "postgres", "tester").is_ok()
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take(&mut self, n: usize) -> Vec<u8> {
        let (head, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        head.to_vec()
    }

    fn i16(&mut self) -> i16 {
        let b = self.take(2);
        i16::from_be_bytes([b[0], b[1]])
    }

    fn i32(&mut self) -> i32 {
        let b = self.take(4);
        i32::from_be_bytes([b[0], b[1], b[2], b[3]])
    }

    fn text(&mut self) -> String {
        let end = self.0.iter().position(|b| *b == 0).unwrap_or(self.0.len());
        let text = self.take(end);
        self.take(1);
        String::from_utf8_lossy(&text).into_owned()
    }

    fn value(&mut self) -> Option<String> {
        let length = usize::try_from(self.i32()).ok()?;
        Some(String::from_utf8_lossy(&self.take(length)).into_owned())
    }

    fn column(&mut self) -> Column {
        let name = self.text();
        let table = u32::from_be_bytes(self.i32().to_be_bytes());
        let attribute = self.i16();
        let oid = u32::from_be_bytes(self.i32().to_be_bytes());
        self.take(2);
        let typmod = self.i32();
        self.take(2);
        Column { name, oid, typmod, table, attribute }
    }

    fn fields(&mut self) -> BTreeMap<char, String> {
        let mut fields = BTreeMap::new();
        while let Some(letter) = self.0.first().copied().filter(|b| *b != 0) {
            self.take(1);
            fields.insert(char::from(letter), self.text());
        }
        fields
    }
}
