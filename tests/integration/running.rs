//! Runs that are under way, and requests that are held meanwhile.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::json;

use crate::bed::bed;
use crate::project::{Project, Run};

/// Longer than anything takes: a run that is still waiting then hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// A run that is under way.
pub struct Running {
    pub child: Child,
    lines: mpsc::Receiver<String>,
    stdout: Option<std::thread::JoinHandle<String>>,
    seen: String,
}

impl Running {
    pub fn start(project: &Project, arguments: &[&str]) -> Self {
        let mut command = project.command(arguments);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || BufReader::new(stderr).lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let stdout = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).unwrap();
            text
        });
        Self { child, lines, stdout: Some(stdout), seen: String::new() }
    }

    pub fn signal(&self, name: &str) {
        let sent = std::process::Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for a line on standard error that holds this.
    #[track_caller]
    pub fn until_it_says(&mut self, text: &str) {
        loop {
            let line = match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => line,
                Err(error) => panic!("nothing says {text:?} ({error}):\n{}", self.seen),
            };
            self.seen.push_str(&line);
            self.seen.push('\n');
            if line.contains(text) {
                return;
            }
        }
    }

    pub fn ends(mut self) -> Run {
        let status = self.child.wait().unwrap();
        for line in self.lines.iter() {
            self.seen.push_str(&line);
            self.seen.push('\n');
        }
        let stdout = self.stdout.take().unwrap().join().unwrap();
        Run { code: status.code().unwrap_or(-1), stdout, stderr: std::mem::take(&mut self.seen) }
    }
}

/// A test that fails leaves nothing running.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Holds the nth write of an account, before or after its effect, and everything after it.
pub fn hold(account: &str, write: usize, effect: &str) {
    let fault = json!({ "effect": effect, "nth_write": write });
    bed().post(&format!("/testbed/accounts/{account}"), &json!({ "faults": [fault] }));
}

/// Holds the next request of an action before its effect, and lets everybody else go ahead.
pub fn hold_one(account: &str, action: &str) {
    let fault = json!({ "effect": "hang-before", "action": action, "alone": true });
    bed().post(&format!("/testbed/accounts/{account}"), &json!({ "faults": [fault] }));
}

/// Whether a request is held within some seconds.
pub fn is_held(account: &str, seconds: u32) -> bool {
    !bed().get(&format!("/testbed/accounts/{account}/hung?timeout={seconds}"))["hung"].as_array().unwrap().is_empty()
}

pub fn release(account: &str) {
    bed().post(&format!("/testbed/accounts/{account}"), &json!({ "faults": [] }));
    bed().post(&format!("/testbed/accounts/{account}/release"), &json!({}));
}
