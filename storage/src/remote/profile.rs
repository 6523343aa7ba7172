//! The shared files of AWS' tools, `~/.aws/credentials` and `~/.aws/config`: keys and region of one profile.
//!
//! They are read each time that clients are made, so that rotated keys are found. What a profile says beside keys and
//! region (roles to assume, single sign-on, processes) is not followed.

use std::{collections::HashMap, path::PathBuf};

use super::build::{Environment, variable};

/// What the files say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Profile {
    pub(super) keys: Option<(String, String)>,
    pub(super) token: Option<String>,
    pub(super) region: Option<String>,
}

/// The profile that the environment names, else `default`; none where keys are in the environment itself, which win.
pub(super) fn of(environment: &Environment) -> Option<Profile> {
    if variable(environment, "AWS_ACCESS_KEY_ID").is_some() {
        return None;
    }
    let name = variable(environment, "AWS_PROFILE").unwrap_or("default");
    let file = |named: &str, usual: &str| {
        let home = || Some(PathBuf::from(variable(environment, "HOME")?).join(".aws").join(usual));
        let path = variable(environment, named).map(PathBuf::from).or_else(home)?;
        std::fs::read_to_string(path).ok()
    };
    let credentials = file("AWS_SHARED_CREDENTIALS_FILE", "credentials").unwrap_or_default();
    let config = file("AWS_CONFIG_FILE", "config").unwrap_or_default();
    let profile = merged(&section(&credentials, name), &section(&config, name));
    (profile != Profile::default()).then_some(profile)
}

fn merged(credentials: &HashMap<String, String>, config: &HashMap<String, String>) -> Profile {
    let get = |key: &str| credentials.get(key).or_else(|| config.get(key)).cloned();
    Profile {
        keys: get("aws_access_key_id").zip(get("aws_secret_access_key")),
        token: get("aws_session_token"),
        region: get("region"),
    }
}

/// The entries of `[name]` or `[profile name]`.
fn section(text: &str, name: &str) -> HashMap<String, String> {
    let mut entries = HashMap::new();
    let mut is_in = false;
    for line in text.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let header = header.trim();
            is_in = header.strip_prefix("profile ").map_or(header, str::trim) == name;
        } else if is_in
            && !line.starts_with(['#', ';'])
            && let Some((key, value)) = line.split_once('=')
        {
            entries.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_of_the_shared_files_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(
            path("credentials"),
            "[default]\naws_access_key_id = A\n aws_secret_access_key=S=1\n# x\n[other]\naws_access_key_id=B\naws_secret_access_key=T\naws_session_token=U\n",
        )
        .unwrap();
        std::fs::write(path("config"), "[default]\nregion = eu-1\n[profile other]\nregion=eu-2\n").unwrap();
        let mut environment = vec![
            ("AWS_SHARED_CREDENTIALS_FILE".to_owned(), path("credentials")),
            ("AWS_CONFIG_FILE".to_owned(), path("config")),
        ];
        let found = of(&environment).unwrap();
        assert_eq!(found.keys, Some(("A".into(), "S=1".into())));
        assert_eq!((found.token, found.region.as_deref()), (None, Some("eu-1")));
        environment.push(("AWS_PROFILE".into(), "other".into()));
        let found = of(&environment).unwrap();
        assert_eq!(found.keys, Some(("B".into(), "T".into())));
        assert_eq!((found.token.as_deref(), found.region.as_deref()), (Some("U"), Some("eu-2")));
        environment.push(("AWS_ACCESS_KEY_ID".into(), "C".into()));
        assert_eq!(of(&environment), None, "keys of the environment win");
    }
}
