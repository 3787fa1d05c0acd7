//! The emulated AWS: one server for all tests, an account of its own for each.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The server takes a second or two; a loaded machine more.
const START_TIMEOUT: Duration = Duration::from_secs(60);

pub struct Bed {
    pub url: String,
}

/// The server, started by the first test that asks for it; it ends when the tests' process does.
pub fn bed() -> &'static Bed {
    static BED: OnceLock<Bed> = OnceLock::new();
    BED.get_or_init(Bed::start)
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The project's own Python, with moto and boto3 in it: `make test` installs it.
pub fn python() -> PathBuf {
    let python = root().join(".venv/bin/python");
    assert!(python.exists(), "there is no {}: run `make test`, which installs it", python.display());
    python
}

/// The rules that `TESTBED_RULES_OFF` switches off, separated by commas: `tests/testbed/rules_matter.py` shows with it
/// that for each there is a test that fails without it.
fn rules_off() -> Value {
    let names = std::env::var("TESTBED_RULES_OFF").unwrap_or_default();
    names.split(',').filter(|name| !name.is_empty()).map(|name| (name.to_string(), Value::Bool(false))).collect()
}

impl Bed {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap().keep();
        let port_file = folder.join("port");
        // It ends with the process of the tests, which therefore never waits for it.
        #[expect(clippy::zombie_processes, reason = "it watches for its parent's end")]
        let _server = Command::new(python())
            .args(["-m", "testbed", "--port", "0", "--exit-with-parent", "--port-file"])
            .arg(&port_file)
            .args(["--config", &json!({ "rules": rules_off() }).to_string()])
            .env("PYTHONPATH", root().join("tests"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let started = Instant::now();
        loop {
            if let Ok(port) = std::fs::read_to_string(&port_file) {
                let _ = std::fs::remove_dir_all(&folder);
                return Self { url: format!("http://127.0.0.1:{}", port.trim()) };
            }
            assert!(started.elapsed() < START_TIMEOUT, "the test bed did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A fresh account's id.
    pub fn account(&self) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(400_000_000_000);
        NEXT.fetch_add(1, Ordering::Relaxed).to_string()
    }

    pub fn get(&self, path: &str) -> Value {
        ureq::get(format!("{}{path}", self.url)).call().unwrap().body_mut().read_json().unwrap()
    }

    pub fn post(&self, path: &str, body: &Value) -> Value {
        ureq::post(format!("{}{path}", self.url)).send_json(body).unwrap().body_mut().read_json().unwrap()
    }

    /// Changes settings of the bed for one account.
    pub fn set(&self, account: &str, settings: &Value) {
        self.post(&format!("/testbed/accounts/{account}"), &json!({ "settings": settings }));
    }

    /// Makes an endpoint service of another account exist, open to everybody, and returns its name.
    pub fn endpoint_service(&self, region: &str) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let name = format!("com.amazonaws.vpce.{region}.vpce-svc-{:017x}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.provide(&name, &json!({}));
        name
    }

    /// Makes an endpoint service of another account exist, or changes who may use it and how: open to everybody, unless
    /// said otherwise.
    pub fn provide(&self, service: &str, more: &Value) {
        let mut provided = json!({ "name": service, "owner": "999999999999", "allowed_principals": ["*"] });
        provided.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.post("/testbed/endpoint-services", &provided);
    }

    /// Everything in an account, in a form that two moments can be compared by.
    pub fn dump(&self, account: &str) -> Value {
        self.get(&format!("/testbed/accounts/{account}/dump"))
    }

    /// How many calls that change something an account has had.
    pub fn writes(&self, account: &str) -> u64 {
        self.get(&format!("/testbed/accounts/{account}"))["write_count"].as_u64().unwrap()
    }

    /// Runs Python with boto3 in an account; `aws("ec2")` is a client, and what is assigned to `result` comes back.
    pub fn boto(&self, account: &str, script: &str) -> Value {
        let program = format!(
            r#"
import boto3, json, sys
url, account = sys.argv[1:]
keys = dict(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1", endpoint_url=url)
role = boto3.client("sts", **keys).assume_role(RoleArn=f"arn:aws:iam::{{account}}:role/tester", RoleSessionName="tester")["Credentials"]
def aws(service, region="us-east-1"):
    return boto3.client(service, endpoint_url=url, region_name=region, aws_access_key_id=role["AccessKeyId"],
        aws_secret_access_key=role["SecretAccessKey"], aws_session_token=role["SessionToken"])
result = None
{script}
print(json.dumps(result, default=str))
"#
        );
        let output = Command::new(python()).args(["-c", &program, &self.url, account]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}
