//! What an engine's `container inspect` tells of containers, as far as it matters here.
//!
//! Pure. Docker, podman and nerdctl agree on little; what one of them leaves out is taken for not so.

use crate::ports::Port;
use serde_json::Value;

/// One container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Its id, in full.
    pub id: String,
    /// Its name, without the slash that docker writes before it.
    pub name: String,
    /// It runs, or is about to run again or to end.
    pub is_running: bool,
    /// It was made and not started.
    pub never_ran: bool,
    /// The user said `--rm`: when it has ended nothing of it is to be left.
    pub removes_itself: bool,
    /// What its command ended with.
    pub exit_code: Option<i32>,
    /// The process that it is, as this machine counts.
    pub pid: Option<i32>,
    /// What its image's own check says.
    pub health: Option<Health>,
    /// Ports of this machine by which it is reached, and its own behind them.
    pub published: Vec<(Port, Port)>,
    /// It has the machine's own network, and nothing to publish.
    pub has_host_network: bool,
}

/// What an image's own check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Not yet.
    Starting,
    /// It is well.
    Healthy,
    /// It is not.
    Unhealthy,
}

/// The containers in an answer; `None` when it is no such answer.
pub fn parse(text: &str) -> Option<Vec<Facts>> {
    let told: Value = serde_json::from_str(text.trim()).ok()?;
    told.as_array()?.iter().map(of_one).collect()
}

fn of_one(told: &Value) -> Option<Facts> {
    let (state, host) = (&told["State"], &told["HostConfig"]);
    let status = state["Status"].as_str().unwrap_or_default().to_ascii_lowercase();
    let labels = &told["Config"]["Labels"];
    let code = state["ExitCode"].as_i64().and_then(|code| i32::try_from(code).ok());
    let pid = state["Pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).filter(|&pid| pid > 0);
    let is_running = match &status[..] {
        "running" | "paused" | "pausing" | "restarting" | "stopping" => true,
        "" => state["Running"].as_bool().unwrap_or(false),
        _ => false,
    };
    let never_ran = matches!(&status[..], "created" | "configured" | "initialized");
    Some(Facts {
        id: told["Id"].as_str()?.to_owned(),
        name: told["Name"].as_str().unwrap_or_default().trim_start_matches('/').to_owned(),
        is_running,
        never_ran,
        removes_itself: host["AutoRemove"].as_bool().unwrap_or(false)
            || labels["nerdctl/auto-remove"] == "true",
        exit_code: code.filter(|_| !is_running && !never_ran),
        pid,
        health: health(state),
        published: published(&told["NetworkSettings"]["Ports"]),
        has_host_network: host["NetworkMode"] == "host",
    })
}

/// Docker calls it `Health`; older podmans `Healthcheck`, and say it of images that have none, without a status.
fn health(state: &Value) -> Option<Health> {
    let told = state.get("Health").or_else(|| state.get("Healthcheck"))?;
    match told["Status"].as_str()? {
        "starting" => Some(Health::Starting),
        "healthy" => Some(Health::Healthy),
        "unhealthy" => Some(Health::Unhealthy),
        _ => None,
    }
}

/// The `HostPort` of `{"80/tcp": [{"HostIp": …, "HostPort": "8080"}], "81/tcp": null}`; of TCP alone.
fn published(told: &Value) -> Vec<(Port, Port)> {
    let mut ports = Vec::new();
    for (inside, bindings) in told.as_object().into_iter().flatten() {
        let tcp = inside.strip_suffix("/tcp").and_then(|port| port.parse::<Port>().ok());
        for binding in bindings.as_array().into_iter().flatten() {
            let host = binding["HostPort"].as_str().and_then(|port| port.parse().ok());
            ports.extend(host.zip(tcp));
        }
    }
    ports.sort_unstable();
    ports.dedup();
    ports
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_container_is_read() {
        let text = r#"[{"Id": "ff21", "Name": "/pg", "State": {"Status": "running", "Running": true,
            "Pid": 8279, "ExitCode": 0, "Health": {"Status": "starting"}},
            "HostConfig": {"AutoRemove": true, "NetworkMode": "default"},
            "NetworkSettings": {"Ports": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "3000"},
            {"HostIp": "::1", "HostPort": "3000"}], "81/tcp": null,
            "53/udp": [{"HostIp": "", "HostPort": "53"}]}}}]"#;
        let expected = Facts {
            id: "ff21".to_owned(),
            name: "pg".to_owned(),
            is_running: true,
            removes_itself: true,
            pid: Some(8279),
            health: Some(Health::Starting),
            published: vec![(Port::known(3000), Port::known(80))],
            ..Facts::default()
        };
        assert_eq!(parse(text), Some(vec![expected]));
    }

    #[test]
    fn states_are_told_apart() {
        for (status, is_running, never_ran, exit_code) in [
            ("created", false, true, None),
            ("configured", false, true, None),
            ("running", true, false, None),
            ("paused", true, false, None),
            ("stopping", true, false, None),
            ("removing", false, false, Some(7)),
            ("exited", false, false, Some(7)),
        ] {
            let text =
                format!(r#"[{{"Id": "x", "State": {{"Status": "{status}", "ExitCode": 7}}}}]"#);
            let found = parse(&text).unwrap().remove(0);
            let told = (found.is_running, found.never_ran, found.exit_code);
            assert_eq!(told, (is_running, never_ran, exit_code), "{status}");
        }
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for text in ["", "[", "{}", "[{}]", "null", "[1]"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("[]"), Some(Vec::new()));
    }
}
