"""Workflows, action and GitLab jobs, run as they are written, against stand-ins of AWS, GitHub and GitLab."""
