//! A folder with specs, and the binary run in it with nothing of the machine's own AWS settings.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tierctl::report::schema;

use crate::bed::bed;

pub struct Project {
    folder: tempfile::TempDir,
    pub environment: Vec<(String, String)>,
}

/// What a run printed and how it ended.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// The run, if it ended with this code.
    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// What was printed as JSON; a plan, an outcome and cells as their schemas say.
    #[track_caller]
    pub fn json(&self) -> Value {
        let document: Value = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr));
        match () {
            () if document.get("changes").is_some() => assert_fits(&document, &schema::plan_schema()),
            () if document.get("not_started").is_some() => assert_fits(&document, &schema::outcome_schema()),
            () if document["cells"].is_array() && document.get("tiers").is_none() => assert_fits(&document, &schema::cells_schema()),
            () => {}
        }
        document
    }

    /// The events that were printed, each as its schema says.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        let events: Vec<Value> = self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        events.iter().for_each(|event| assert_fits(event, &schema::event_schema()));
        events
    }

    /// `create`, `update`, `replace`, `delete`, `blocked` of a plan in JSON.
    #[track_caller]
    pub fn counts(&self) -> [u64; 5] {
        let plan = self.json();
        ["create", "update", "replace", "delete", "blocked"].map(|action| plan["summary"][action].as_u64().unwrap())
    }

    /// Every changed field of a plan in JSON, as `kind name: path`.
    #[track_caller]
    pub fn changed_fields(&self) -> Vec<String> {
        let plan = self.json();
        let changes = plan["changes"].as_array().unwrap().iter();
        changes
            .flat_map(|change| {
                let what = format!("{} {}", change["kind"].as_str().unwrap(), change["name"].as_str().unwrap());
                let fields = change["fields"].as_array().unwrap().clone();
                fields.into_iter().map(move |field| format!("{what}: {}", field["path"].as_str().unwrap()))
            })
            .collect()
    }
}

/// Holds a document against a schema, which here does not leave room for what it does not name.
#[track_caller]
fn assert_fits(document: &Value, schema: &Value) {
    let mut schema = schema.clone();
    close(&mut schema);
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{}\n{document:#}", errors.join("\n"));
}

fn close(schema: &mut Value) {
    if let Value::Object(parts) = schema {
        if parts.contains_key("properties") && !parts.contains_key("$ref") {
            parts.insert("additionalProperties".into(), false.into());
        }
        parts.values_mut().for_each(close);
    } else if let Value::Array(parts) = schema {
        parts.iter_mut().for_each(close);
    }
}

impl Project {
    pub fn new() -> Self {
        let environment = [
            ("AWS_ENDPOINT_URL", bed().url.as_str()),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            // The bed does not throttle unless told to, and then `pace.rs` gives both the same clock.
            ("TIERCTL_API_TIME_SCALE", "1000"),
        ];
        let environment = environment.map(|(name, value)| (name.to_string(), value.to_string())).to_vec();
        Self { folder: tempfile::tempdir().unwrap(), environment }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().to_path_buf()
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Replaces a text in a file that holds it.
    #[track_caller]
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let file = self.folder.path().join(path);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{path} does not hold {from:?}:\n{text}");
        std::fs::write(file, text.replace(from, to)).unwrap();
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tierctl"));
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env("HOME", self.folder.path()).env("PATH", path).envs(self.environment.clone());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        let output = self.command(arguments).output().unwrap();
        Run {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// A plan in JSON of all that is below `tiers/` and `tenants/`.
    pub fn plan(&self) -> Run {
        self.run(&["plan", "--format", "json"])
    }

    #[track_caller]
    pub fn assert_plan_is_empty(&self) {
        let plan = self.plan().ended(0);
        assert_eq!(plan.counts(), [0; 5], "{}", plan.stdout);
    }
}

/// A tier with one cell and one infra group in a fresh account, small and whole; and its account.
pub fn small_tier(project: &Project) -> String {
    let account = bed().account();
    let service = bed().endpoint_service("us-east-1");
    project.write(
        "tiers/test.yaml",
        &format!(
            r#"
tier: test
region: us-east-1
tags:
  team: ads
downstreams:
  - name: bidder
    service: {service}
    port: 8443
  - name: logs
    service: logs
    port: 443
    private_dns: true
  - name: artifacts
    service: s3
    gateway: true
roles:
  task:
    statements:
      - effect: Allow
        actions: ["s3:GetObject"]
        resources: ["arn:aws:s3:::artifacts/*"]
  execution:
    managed_policies:
      - arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy
monitoring:
  log_retention_days: 30
cells:
  - name: cell-1
    account: "{account}"
    assume_role: arn:aws:iam::{account}:role/provisioner
    infra_groups:
      - name: ig-1
        vpc:
          cidr: 10.20.0.0/16
          zones: [us-east-1a, us-east-1b]
"#
        ),
    );
    account
}

/// A tenant of the small tier.
pub fn small_tenant(project: &Project, name: &str) {
    project.write(
        &format!("tenants/{name}.yaml"),
        &format!(
            r#"
tenant: {name}
tier: test
placement:
  cell: cell-1
  infra_group: ig-1
service:
  image: registry.example.com/ad-server:1.0
  port: 8080
  cpu: 256
  memory: 512
  desired: 1
  health_check:
    path: /healthz
"#
        ),
    );
}
