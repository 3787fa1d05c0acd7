# shellcheck shell=sh
# Enters a role with the job's own token, in place of keys: `. web-identity.sh ROLE_ARN`, where AWS_TOKEN is the token.
AWS_ROLE_ARN=${1:?the variable with the role is empty: is it protected, and the branch not?}
AWS_ROLE_SESSION_NAME=gitlab-${CI_JOB_ID:-job}
AWS_REGION=${TIERCTL_REGION:?}
AWS_WEB_IDENTITY_TOKEN_FILE=$(umask 077 && mktemp)
printf '%s' "${AWS_TOKEN:?the job has no id_tokens}" >"$AWS_WEB_IDENTITY_TOKEN_FILE"
unset AWS_TOKEN
export AWS_ROLE_ARN AWS_ROLE_SESSION_NAME AWS_REGION AWS_WEB_IDENTITY_TOKEN_FILE
