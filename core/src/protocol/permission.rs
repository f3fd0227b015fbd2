//! [`PermissionPolicy`] and [`QuestionPolicy`]: who answers when the agent asks.

use crate::base::error::{Error, Result};
use serde::Deserialize;
use serde_json::Value;

/// The answer to one permission request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PermissionReply {
    /// The tool may run this time.
    Once,
    /// The tool may run, and everything else that matches, until the server forgets.
    Always,
    /// The tool may not run.
    Reject,
}

impl PermissionReply {
    /// The server's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            PermissionReply::Once => "once",
            PermissionReply::Always => "always",
            PermissionReply::Reject => "reject",
        }
    }

    /// Reads `once`, `always` or `reject`; `allow` and `deny`, which older texts use, mean `once` and `reject`.
    ///
    /// # Errors
    /// `invalid_argument` for any other word.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "once" | "allow" => Ok(PermissionReply::Once),
            "always" => Ok(PermissionReply::Always),
            "reject" | "deny" => Ok(PermissionReply::Reject),
            other => Err(Error::invalid(format!(
                "permission reply '{other}': write once, always or reject"
            ))),
        }
    }
}

/// What a rule, or the policy as a whole, does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Answered at once.
    Reply(PermissionReply),
    /// Handed to the host as an update.
    Ask,
}

impl Decision {
    fn parse(text: &str) -> Result<Self> {
        if text == "ask" {
            return Ok(Decision::Ask);
        }
        PermissionReply::parse(text).map(Decision::Reply).map_err(|_| {
            Error::invalid(format!(
                "permission '{text}': write reject, once, always, ask, or a list of rules"
            ))
        })
    }
}

/// One rule. As in `opencode.json` the last one that matches decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionRule {
    /// A glob over the permission's name, such as `bash` or `*`.
    pub permission: String,
    /// A glob over each of the request's patterns, such as `git status *`, which fits `git status` too.
    pub pattern: String,
    /// What to do.
    pub decision: Decision,
}

/// Who answers permission requests, those of subagents included. The default rejects them all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionPolicy {
    rules: Vec<PermissionRule>,
    otherwise: Decision,
}

impl Default for PermissionPolicy {
    fn default() -> Self {
        PermissionPolicy::always(Decision::Reply(PermissionReply::Reject))
    }
}

impl PermissionPolicy {
    /// The same decision for every request.
    pub fn always(decision: Decision) -> Self {
        PermissionPolicy { rules: Vec::new(), otherwise: decision }
    }

    /// Whether there are requests that it hands to the host.
    pub(crate) fn asks(&self) -> bool {
        let mut decisions = self.rules.iter().map(|rule| rule.decision);
        self.otherwise == Decision::Ask || decisions.any(|decision| decision == Decision::Ask)
    }

    /// Rules: the last that matches decides, for each pattern of a request. What matches none is rejected.
    pub fn rules(rules: Vec<PermissionRule>) -> Self {
        PermissionPolicy { rules, ..PermissionPolicy::default() }
    }

    /// Reads `"reject"`, `"once"`, `"always"`, `"ask"` or `[{permission, pattern, reply}]`.
    ///
    /// # Errors
    /// `invalid_argument` that names the wrong part.
    pub fn from_value(value: &Value) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Rule {
            #[serde(default = "any")]
            permission: String,
            #[serde(default = "any")]
            pattern: String,
            reply: String,
        }
        fn any() -> String {
            "*".to_owned()
        }
        match value {
            Value::String(text) => Ok(PermissionPolicy::always(Decision::parse(text)?)),
            Value::Array(rules) => {
                let rules = rules.iter().enumerate().map(|(i, rule)| {
                    let rule: Rule = serde_json::from_value(rule.clone())
                        .map_err(|e| Error::invalid(format!("permission rule {}: {e}", i + 1)))?;
                    let decision = Decision::parse(&rule.reply)?;
                    Ok(PermissionRule {
                        permission: rule.permission,
                        pattern: rule.pattern,
                        decision,
                    })
                });
                Ok(PermissionPolicy::rules(rules.collect::<Result<_>>()?))
            }
            _ => Err(Error::invalid(
                "permission: write reject, once, always, ask, or a list of {permission, pattern, reply}",
            )),
        }
    }

    /// What to do with a request for `permission` over `patterns`: the strictest of what is decided for each of them.
    pub fn decide(&self, permission: &str, patterns: &[String]) -> Decision {
        self.judge(permission, patterns).0
    }

    /// The same, with the number of the rule that decided, counted from 1; `None` when none matched.
    pub(crate) fn judge(&self, permission: &str, patterns: &[String]) -> (Decision, Option<usize>) {
        let decide = |pattern: &str| {
            let matches = |(_, rule): &(usize, &PermissionRule)| {
                glob(&rule.permission, permission) && glob(&rule.pattern, pattern)
            };
            let found = self.rules.iter().enumerate().rev().find(matches);
            found.map_or((self.otherwise, None), |(i, rule)| (rule.decision, Some(i + 1)))
        };
        let decided = patterns.iter().map(|pattern| decide(pattern));
        let strictest = decided.min_by_key(|(decision, _)| match decision {
            Decision::Reply(PermissionReply::Reject) => 0,
            Decision::Ask => 1,
            Decision::Reply(PermissionReply::Once) => 2,
            Decision::Reply(PermissionReply::Always) => 3,
        });
        strictest.unwrap_or_else(|| decide(""))
    }
}

/// Who answers the agent's questions. The default rejects them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum QuestionPolicy {
    /// Dismissed; the agent's turn ends there.
    #[default]
    Reject,
    /// Answered with the first option of each question.
    First,
    /// Handed to the host as an update.
    Ask,
}

impl QuestionPolicy {
    /// Reads `"reject"`, `"first"` or `"ask"`.
    ///
    /// # Errors
    /// `invalid_argument` for anything else.
    pub fn from_value(value: &Value) -> Result<Self> {
        match value.as_str() {
            Some("reject") => Ok(QuestionPolicy::Reject),
            Some("first") => Ok(QuestionPolicy::First),
            Some("ask") => Ok(QuestionPolicy::Ask),
            _ => Err(Error::invalid("question: write reject, first or ask")),
        }
    }
}

/// Whether `text` matches a glob as the server reads them: `*` stands for any characters and `?` for one, ` *` at the
/// end for nothing too, and a backslash is a slash.
fn glob(pattern: &str, text: &str) -> bool {
    let slashed = |text: &str| text.chars().map(|c| if c == '\\' { '/' } else { c }).collect();
    let (pattern, text): (Vec<char>, Vec<char>) = (slashed(pattern), slashed(text));
    let without_end = pattern.strip_suffix(&[' ', '*']);
    without_end.is_some_and(|pattern| fits(pattern, &text)) || fits(&pattern, &text)
}

fn fits(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on after the last star, when what follows it does not match.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((after, at)) => {
                    retry = Some((after, at + 1));
                    p = after;
                    t = at + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn globs() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "a\nb", true),
            ("git *", "git status", true),
            ("git *", "git", true),
            ("git *", "gitk", false),
            ("git * *", "git a", true),
            (" *", "", true),
            ("git*", "git", true),
            ("src\\*", "src/a", true),
            ("a.c", "abc", false),
            ("*.rs", "src/a.rs", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("", "", true),
            ("", "x", false),
            ("ä*", "äöü", true),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} ~ {text}");
        }
        let stars = "*a".repeat(50);
        assert!(!glob(&stars, &"a".repeat(49)), "ends soon even for hostile patterns");
    }

    #[test]
    fn the_last_matching_rule_decides_for_each_pattern_and_the_rest_is_rejected() {
        let policy = PermissionPolicy::from_value(&json!([
            { "permission": "bash", "reply": "once" },
            { "permission": "bash", "pattern": "rm *", "reply": "reject" },
            { "permission": "bash", "pattern": "rm x", "reply": "always" },
            { "permission": "edit", "pattern": "src/*", "reply": "ask" },
        ]))
        .unwrap();
        let decide = |permission, patterns: &[&str]| policy.decide(permission, &strings(patterns));
        let reply = Decision::Reply;
        assert_eq!(decide("bash", &["rm -rf /"]), reply(PermissionReply::Reject));
        assert_eq!(decide("bash", &["rm"]), reply(PermissionReply::Reject));
        assert_eq!(decide("bash", &["rm x"]), reply(PermissionReply::Always));
        assert_eq!(decide("bash", &["ls"]), reply(PermissionReply::Once));
        // Each pattern has its own rule, and the strictest of them decides.
        assert_eq!(decide("bash", &["ls", "rm x"]), reply(PermissionReply::Once));
        assert_eq!(decide("bash", &["ls", "rm y"]), reply(PermissionReply::Reject));
        assert_eq!(decide("edit", &["src/a.rs"]), Decision::Ask);
        assert_eq!(decide("edit", &["src/a.rs", "/etc/passwd"]), reply(PermissionReply::Reject));
        let rule = |patterns: &[&str]| policy.judge("bash", &strings(patterns)).1;
        assert_eq!((rule(&["ls", "rm y"]), rule(&["ls"])), (Some(2), Some(1)));
        assert_eq!(policy.judge("webfetch", &[]).1, None);
        assert_eq!(decide("webfetch", &[]), Decision::Reply(PermissionReply::Reject));
    }

    #[test]
    fn words_of_older_texts_are_understood() {
        assert_eq!(PermissionReply::parse("allow").unwrap(), PermissionReply::Once);
        assert_eq!(PermissionReply::parse("deny").unwrap(), PermissionReply::Reject);
    }

    #[test]
    fn wrong_policies_say_what_to_write() {
        for value in [json!("maybe"), json!(1), json!([{ "reply": "x" }]), json!([{ "replay": 1 }])]
        {
            let error = PermissionPolicy::from_value(&value).unwrap_err();
            assert!(error.message().contains("permission"), "{error}");
        }
        assert!(QuestionPolicy::from_value(&json!("x")).is_err());
    }
}
