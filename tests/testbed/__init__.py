"""AWS for tests: moto in one process, made as strict as AWS and to take time where AWS takes time."""
