//! The specs that the contract promises will work, as they stand.

use serde_json::json;

use crate::bed::{bed, root};
use crate::project::Project;
use crate::scenes::{all, homes, one, quick};

#[test]
fn the_examples_work_unchanged() {
    let project = Project::new();
    let examples = root().join("tests/integration/examples");
    for file in ["tiers/high-tps.yaml", "tenants/acme.yaml", "tenants/globex.yaml", "tenants/initech.yaml"] {
        project.write(file, &std::fs::read_to_string(examples.join(file)).unwrap());
    }
    for service in ["0a1b2c3d4e5f60718", "0f9e8d7c6b5a40312", "01c2d3e4f5a6b7c88"] {
        let name = format!("com.amazonaws.vpce.us-east-1.vpce-svc-{service}");
        bed().provide(&name, &json!({}));
    }
    // The bed's own account, which its keys lead to without a role, and another.
    let (first, second) = ("123456789012", "222222222222");
    quick(first);
    quick(second);
    project.run(&["validate"]).ended(0);
    project.run(&["apply", "--yes", "tiers/high-tps.yaml"]).ended(0);
    for tenant in ["acme", "globex", "initech"] {
        project.run(&["onboard", "--yes", &format!("tenants/{tenant}.yaml")]).ended(0);
    }
    project.assert_plan_is_empty();
    let expected = ["cell-1/ig-1: acme, globex, initech", "cell-1/ig-2: ", "cell-2/ig-1: "];
    assert_eq!(homes(&project, "high-tps"), expected);

    let dump = bed().dump(first);
    assert_eq!(all(&dump, "vpcendpoints").len(), 14);
    assert_eq!(all(&bed().dump(second), "vpcendpoints").len(), 7);
    assert_eq!(one(&dump, "services", "serviceName", "acme")["runningCount"], 2);
    assert!(one(&dump, "clusters", "clusterName", "high-tps-cell-1-ig-1-globex").is_object());
    let fleet = all(&dump, "targetgroups").into_iter().find(|group| group.to_string().contains("10.20.1.15")).unwrap();
    assert_eq!(fleet["Targets"].as_array().unwrap().len(), 2);
}
