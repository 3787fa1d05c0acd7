"""The workflows, the action and the GitLab jobs, run as they are written, against stand-ins of AWS, GitHub and GitLab."""
