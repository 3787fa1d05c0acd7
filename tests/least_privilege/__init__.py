"""The proof that `tierctl iam-policy` prints what each command needs: all of it, and nothing besides."""
