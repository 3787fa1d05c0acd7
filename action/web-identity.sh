# shellcheck shell=sh
# Enters the role AWS_ROLE_ARN with the job's own token, AWS_TOKEN, in place of keys.
: "${AWS_ROLE_ARN:?the variable with the role is empty: is it protected, and the branch not?}"
AWS_ROLE_SESSION_NAME=gitlab-${CI_JOB_ID:-job}
AWS_REGION=${TIERCTL_REGION:?}
AWS_WEB_IDENTITY_TOKEN_FILE=$(umask 077 && mktemp)
printf '%s' "${AWS_TOKEN:?the job has no id_tokens}" >"$AWS_WEB_IDENTITY_TOKEN_FILE"
unset AWS_TOKEN
export AWS_ROLE_ARN AWS_ROLE_SESSION_NAME AWS_REGION AWS_WEB_IDENTITY_TOKEN_FILE
