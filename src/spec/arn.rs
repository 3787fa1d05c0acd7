//! ARNs and Regions, as far as their text alone tells something.

/// `arn:partition:service:region:account:resource`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arn<'a> {
    pub partition: &'a str,
    pub service: &'a str,
    pub region: &'a str,
    pub account: &'a str,
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// None for what is not an ARN, or has no resource.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next();
        let ("arn", partition, service, region, account, resource) = (next()?, next()?, next()?, next()?, next()?, next()?) else {
            return None;
        };
        let sound = partition.starts_with("aws") && !service.is_empty() && !resource.is_empty() && !text.contains(char::is_whitespace);
        sound.then_some(Self { partition, service, region, account, resource })
    }
}

/// The partition that a Region is in.
/// <https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html>
pub fn partition_of(region: &str) -> &'static str {
    const PREFIXES: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("us-isof-", "aws-iso-f"),
        ("eu-isoe-", "aws-iso-e"),
        ("eusc-", "aws-eusc"),
    ];
    PREFIXES.iter().find(|(prefix, _)| region.starts_with(prefix)).map_or("aws", |(_, partition)| partition)
}

/// `us-east-1`, `us-gov-west-1`: letters in groups, then a number.
pub fn is_region(text: &str) -> bool {
    let Some((place, number)) = text.rsplit_once('-') else { return false };
    let words: Vec<&str> = place.split('-').collect();
    let letters = |word: &&str| word.len() >= 2 && word.bytes().all(|byte| byte.is_ascii_lowercase());
    words.len() >= 2 && words.iter().all(letters) && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// `vpc-0a1b…`: a prefix, then 8 or 17 hexadecimal digits.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html>
pub fn is_resource_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|digits| matches!(digits.len(), 8 | 17) && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_are_taken_apart() {
        let arn = Arn::parse("arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf:password::");
        assert_eq!(arn.map(|arn| (arn.service, arn.resource)), Some(("secretsmanager", "secret:db-AbCdEf:password::")));
        for wrong in ["", "arn", "arn:aws:iam::1:", "urn:aws:iam::1:role/x", "arn:gcp:iam::1:role/x", "arn:aws:iam::1:role/a b"] {
            assert_eq!(Arn::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn regions_tell_their_partition() {
        assert_eq!(partition_of("us-east-1"), "aws");
        assert_eq!(partition_of("us-gov-west-1"), "aws-us-gov");
        assert_eq!(partition_of("cn-north-1"), "aws-cn");
        assert!(is_region("ap-southeast-2") && is_region("us-gov-west-1"));
        assert!(!is_region("us-east") && !is_region("us-east-1a") && !is_region("vpce") && !is_region(""));
    }

    #[test]
    fn resource_ids_are_hexadecimal() {
        assert!(is_resource_id("vpc-0a1b2c3d4e5f60718", "vpc"));
        assert!(!is_resource_id("vpc-0A1b2c3d", "vpc"));
        assert!(!is_resource_id("subnet-0a1b2c3d", "vpc"));
    }
}
