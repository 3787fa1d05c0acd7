//! An IAM role of an infra group, with the policies that are its own and those attached: closed sets.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_iam::types::{EntityType, RoleDetail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model::{Changed, Field, Key, Live, Wanted};
use super::{Kind, Reading, Resource, Writes, deletion, normal_form, tags};
use crate::aws::{AwsError, Class, Doing, Reader, Writer};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html>
const PAGE: i32 = 1000;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Role {
    pub role_name: String,
    pub path: String,
    /// In normal form.
    pub assume_role_policy: Value,
    /// ARN; null where there is none.
    pub permissions_boundary: Option<String>,
    /// ARNs.
    pub managed_policies: Vec<String>,
    /// Name to document in normal form.
    pub inline_policies: BTreeMap<String, Value>,
}

pub struct Roles;

#[async_trait]
impl Resource for Roles {
    fn writes(&self) -> Writes {
        Writes { create: &[], update: &[], delete: &[] }
    }

    fn fields(&self) -> &'static [Field] {
        const {
            &[
                Field::replace("role_name"),
                Field::replace("path"),
                Field::update("assume_role_policy"),
                Field::update("permissions_boundary"),
                Field::update("managed_policies").set(),
                Field::update("inline_policies"),
            ]
        }
    }

    /// Every role of the account, whole, 1,000 in a call: ListRoles has no tags and no policies. AWS has no two roles
    /// whose names differ in case alone.
    async fn read(&self, reading: &Reading<'_>) -> Result<Vec<Live>, AwsError> {
        let names: BTreeSet<String> = reading.scope.names_of(Kind::Role).map(str::to_lowercase).collect();
        let mut found = Vec::new();
        let request = reading.aws.iam().get_account_authorization_details().filter(EntityType::Role).max_items(PAGE);
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            for role in page.doing("iam:GetAccountAuthorizationDetails", reading.place)?.role_detail_list() {
                let tags = tags::from_iam(role.tags());
                let name = role.role_name().unwrap_or_default();
                let is_ours = Key::from_tags(Kind::Role, &tags).is_some_and(|key| reading.scope.shows(&key.scope));
                if is_ours || names.contains(&name.to_lowercase()) {
                    let arn = role.arn().unwrap_or_default();
                    found.push(Live::new(Kind::Role, reading.place, arn, tags, &normal(role)).named(name));
                }
            }
        }
        Ok(found)
    }

    fn set_after_creation(&self) -> &'static [&'static str] {
        &["inline_policies", "managed_policies"]
    }

    /// Creates the role and then gives it its policies. Where a request failed after it took effect, AWS says that the
    /// name is taken: a role with our tags is then the one that was asked for.
    async fn create(&self, aws: &Writer, wanted: &Wanted) -> Result<String, AwsError> {
        let shape: Role = wanted.shape()?;
        let made = aws
            .iam()
            .create_role()
            .role_name(&shape.role_name)
            .path(&shape.path)
            .assume_role_policy_document(shape.assume_role_policy.to_string())
            .set_permissions_boundary(shape.permissions_boundary.clone())
            .set_tags(Some(tags::to_iam(&wanted.tags)))
            .send()
            .await
            .doing("iam:CreateRole", &wanted.key);
        let arn = match made {
            Err(error) if error.class == Class::Exists => adopt(aws, &shape.role_name, wanted, error).await?,
            made => made?.role().map(|role| role.arn().to_string()).unwrap_or_default(),
        };
        for (policy, document) in &shape.inline_policies {
            put(aws, &shape.role_name, policy, document).await?;
        }
        for policy in &shape.managed_policies {
            attach(aws, &shape.role_name, policy).await?;
        }
        Ok(arn)
    }

    /// What is allowed more comes first, so that tasks never lack what they have before and after.
    async fn update(&self, aws: &Writer, live: &Live, wanted: &Wanted, changed: &Changed) -> Result<String, AwsError> {
        let (old, new): (Role, Role) = (live.shape()?, wanted.shape()?);
        let name = &old.role_name;
        if changed.has("assume_role_policy") {
            let request = aws.iam().update_assume_role_policy().role_name(name).policy_document(new.assume_role_policy.to_string());
            request.send().await.doing("iam:UpdateAssumeRolePolicy", &wanted.key)?;
        }
        let (inline, managed) = (changed.has("inline_policies"), changed.has("managed_policies"));
        if inline {
            for (policy, document) in
                new.inline_policies.iter().filter(|(policy, document)| old.inline_policies.get(*policy) != Some(document))
            {
                put(aws, name, policy, document).await?;
            }
        }
        if managed {
            for policy in new.managed_policies.iter().filter(|policy| !old.managed_policies.contains(policy)) {
                attach(aws, name, policy).await?;
            }
        }
        if changed.has("permissions_boundary") {
            set_boundary(aws, name, new.permissions_boundary.as_deref()).await?;
        }
        if managed {
            for policy in old.managed_policies.iter().filter(|policy| !new.managed_policies.contains(policy)) {
                detach(aws, name, policy).await?;
            }
        }
        if inline {
            for policy in old.inline_policies.keys().filter(|policy| !new.inline_policies.contains_key(*policy)) {
                remove(aws, name, policy).await?;
            }
        }
        Ok(live.id.clone())
    }

    /// A role goes only without its policies and out of every instance profile.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html>
    async fn delete(&self, aws: &Writer, live: &Live) -> Result<(), AwsError> {
        let role: Role = live.shape()?;
        for policy in &role.managed_policies {
            detach(aws, &role.role_name, policy).await?;
        }
        for policy in role.inline_policies.keys() {
            remove(aws, &role.role_name, policy).await?;
        }
        match aws.iam().delete_role().role_name(&role.role_name).send().await.doing("iam:DeleteRole", &role.role_name) {
            Err(error) if error.class == Class::NotFound => Ok(()),
            Err(error) if error.class == Class::InUse => {
                let profiles = instance_profiles(aws, &role.role_name).await;
                let message = match profiles.is_empty() {
                    true => error.message,
                    false => format!("it is in the instance profiles {}: take it out of them", profiles.join(", ")),
                };
                Err(AwsError { message, ..error })
            }
            other => other.map(drop),
        }
    }
}

fn normal(role: &RoleDetail) -> Role {
    let inline = role.role_policy_list().iter();
    Role {
        role_name: role.role_name().unwrap_or_default().into(),
        path: role.path().unwrap_or_default().into(),
        assume_role_policy: normal_form::policy_text(role.assume_role_policy_document().unwrap_or_default()),
        permissions_boundary: role.permissions_boundary().and_then(|boundary| boundary.permissions_boundary_arn()).map(Into::into),
        managed_policies: role.attached_managed_policies().iter().filter_map(|one| one.policy_arn()).map(Into::into).collect(),
        inline_policies: inline
            .map(|one| (one.policy_name().unwrap_or_default().into(), normal_form::policy_text(one.policy_document().unwrap_or_default())))
            .collect(),
    }
}

async fn adopt(aws: &Reader, name: &str, wanted: &Wanted, refused: AwsError) -> Result<String, AwsError> {
    let answer = aws.iam().get_role().role_name(name).send().await.doing("iam:GetRole", name)?;
    let role = answer.role().filter(|role| Key::from_tags(Kind::Role, &tags::from_iam(role.tags())).as_ref() == Some(&wanted.key));
    role.map(|role| role.arn().to_string()).ok_or(refused)
}

async fn put(aws: &Writer, role: &str, policy: &str, document: &Value) -> Result<(), AwsError> {
    let request = aws.iam().put_role_policy().role_name(role).policy_name(policy).policy_document(document.to_string());
    request.send().await.doing("iam:PutRolePolicy", format!("{policy} of {role}"))?;
    Ok(())
}

async fn attach(aws: &Writer, role: &str, policy: &str) -> Result<(), AwsError> {
    let request = aws.iam().attach_role_policy().role_name(role).policy_arn(policy);
    request.send().await.doing("iam:AttachRolePolicy", format!("{policy} to {role}"))?;
    Ok(())
}

async fn set_boundary(aws: &Writer, role: &str, boundary: Option<&str>) -> Result<(), AwsError> {
    let Some(arn) = boundary else {
        let removed = aws.iam().delete_role_permissions_boundary().role_name(role).send().await;
        return deletion::gone_is_fine(removed.doing("iam:DeleteRolePermissionsBoundary", role));
    };
    let request = aws.iam().put_role_permissions_boundary().role_name(role).permissions_boundary(arn);
    request.send().await.doing("iam:PutRolePermissionsBoundary", format!("{arn} on {role}"))?;
    Ok(())
}

async fn detach(aws: &Writer, role: &str, policy: &str) -> Result<(), AwsError> {
    let detached = aws.iam().detach_role_policy().role_name(role).policy_arn(policy).send().await;
    deletion::gone_is_fine(detached.doing("iam:DetachRolePolicy", format!("{policy} from {role}")))
}

async fn remove(aws: &Writer, role: &str, policy: &str) -> Result<(), AwsError> {
    let removed = aws.iam().delete_role_policy().role_name(role).policy_name(policy).send().await;
    deletion::gone_is_fine(removed.doing("iam:DeleteRolePolicy", format!("{policy} of {role}")))
}

/// Names of the instance profiles that a role is in, as far as AWS will say.
async fn instance_profiles(aws: &Reader, role: &str) -> Vec<String> {
    match aws.iam().list_instance_profiles_for_role().role_name(role).send().await {
        Ok(answer) => answer.instance_profiles().iter().map(|profile| profile.instance_profile_name().to_string()).collect(),
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_iam::types::{AttachedPermissionsBoundary, AttachedPolicy, PermissionsBoundaryAttachmentType, PolicyDetail};
    use serde_json::json;

    #[test]
    fn a_role_as_aws_answers_is_the_one_that_was_wanted() {
        // IAM encodes documents by RFC 3986.
        let trust = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22\
                     Service%22%3A%22ecs-tasks.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D";
        let inline = "%7B%0A%20%20%22Statement%22%3A%20%7B%22Action%22%3A%20%22s3%3AGetObject%22%2C%20%22Effect%22%3A%20%22Allow%22%2C%20\
                      %22Resource%22%3A%20%22arn%3Aaws%3As3%3A%3A%3Aads%2F%2A%22%7D%0A%7D";
        let boundary = AttachedPermissionsBoundary::builder()
            .permissions_boundary_type(PermissionsBoundaryAttachmentType::Policy)
            .permissions_boundary_arn("arn:aws:iam::123456789012:policy/boundary")
            .build();
        let logs = "arn:aws:iam::aws:policy/CloudWatchLogsFullAccess";
        let answer = RoleDetail::builder()
            .role_name("high-cell-1-ig-1-task-0123456789")
            .path("/tierctl/high/cell-1/ig-1/")
            .assume_role_policy_document(trust)
            .role_policy_list(PolicyDetail::builder().policy_name("tierctl").policy_document(inline).build())
            .attached_managed_policies(AttachedPolicy::builder().policy_name("CloudWatchLogsFullAccess").policy_arn(logs).build())
            .permissions_boundary(boundary)
            .build();
        let wanted = Role {
            role_name: "high-cell-1-ig-1-task-0123456789".into(),
            path: "/tierctl/high/cell-1/ig-1/".into(),
            assume_role_policy: normal_form::policy(&json!({
                "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
            })),
            permissions_boundary: Some("arn:aws:iam::123456789012:policy/boundary".into()),
            managed_policies: vec![logs.into()],
            inline_policies: BTreeMap::from([(
                "tierctl".to_string(),
                normal_form::policy(&json!({
                    "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::ads/*"]}],
                })),
            )]),
        };
        assert_eq!(normal(&answer), wanted);
    }

    #[test]
    fn no_boundary_is_null() {
        let role = normal(&RoleDetail::builder().role_name("task").path("/").build());
        assert_eq!(json!(role)["permissions_boundary"], Value::Null);
    }
}
