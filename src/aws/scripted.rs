//! A server that answers as a test says, and clients of it, for tests of what the SDK makes of answers: what is sent
//! again, and what is waited for.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_types::retry::RetryConfig;

use super::session::Clients;
use super::{Access, Calls};
use crate::resources::model::Place;

/// Longer than any test.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// An empty answer, as EC2 gives it.
pub(super) const DONE: Answer = Answer::Reply(200, "<{Action}Response/>");

/// Clients as a session has them, whose retries follow at once.
pub(super) fn clients(server: &Server, calls: &Calls, read_timeout: Duration) -> Clients {
    let place = Place { account: "123456789012".into(), region: "us-east-1".into() };
    let timeouts = TimeoutConfig::builder().connect_timeout(Duration::from_secs(5)).read_timeout(read_timeout);
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test")))
        .endpoint_url(&server.url)
        .retry_config(RetryConfig::standard().with_max_attempts(4).with_initial_backoff(Duration::from_millis(1)))
        .timeout_config(timeouts.build())
        .build();
    Clients::new(&config, &place, Access::Write, calls)
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// Status and body, with the action for every `{Action}`.
    Reply(u16, &'static str),
    /// The connection is cut.
    Drop,
    /// Nothing comes.
    Silence,
    /// The answer starts and does not go on.
    Half,
}

pub(super) struct Server {
    pub(super) url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Gives these answers, one to a request, and the last of them to all that follow.
    pub(super) fn start(answers: &[Answer]) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let (seen, script) = (Arc::new(Mutex::new(Vec::new())), answers.to_vec());
        let log: Arc<Mutex<Vec<String>>> = seen.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, script) = (log.clone(), script.clone());
                // A silent answer must not keep the next from coming.
                thread::spawn(move || serve(stream, &log, &script));
            }
        });
        Ok(Self { url, seen })
    }

    /// The actions that were asked for.
    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(mut stream: TcpStream, log: &Mutex<Vec<String>>, script: &[Answer]) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut length, mut action) = (0, String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let Some((name, value)) = line.trim().split_once(':') else { if line.trim().is_empty() { break } else { continue } };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "x-amz-target" => action = value.rsplit('.').next()?.trim().into(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    if let Some(found) = body.split('&').find_map(|part| part.strip_prefix("Action=")) {
        action = found.into();
    }
    let answer = {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        log.push(action.clone());
        script.get(log.len() - 1).or(script.last())?.clone()
    };
    match answer {
        Answer::Drop => {}
        Answer::Silence => drop(reader.read(&mut [0])),
        Answer::Half => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n<Half").ok()?;
            drop(reader.read(&mut [0]));
        }
        Answer::Reply(status, body) => {
            let body = body.replace("{Action}", &action);
            let head = format!("HTTP/1.1 {status} -\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all((head + &body).as_bytes()).ok()?;
        }
    }
    Some(())
}
