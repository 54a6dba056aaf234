//! `styxy scan`: who has which ports of a range, as a table.

use super::{
    arguments::{Session, Verb},
    check::program,
    output,
};
use crate::{
    operations::{Error, Host, check::PortView},
    ports::{Port, Range},
};

/// List the ports of a range that are leased or in use
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The range, as FIRST-LAST [default: from the lowest port of all service types to the highest]
    #[arg(value_name = "RANGE", conflicts_with_all = ["start", "end"])]
    range: Option<Range>,
    /// The first port [default: that of RANGE]
    #[arg(long, value_name = "PORT")]
    start: Option<Port>,
    /// The last port [default: that of RANGE]
    #[arg(long, value_name = "PORT")]
    end: Option<Port>,
}

impl Verb for Arguments {
    fn perform(self, session: &Session) -> Result<i32, Error> {
        let host = session.host()?;
        let range = self.range(&host, session)?;
        let found = host.scan(range, &|sentence| session.tell(sentence))?;
        if session.json {
            output::json(&found)?;
        } else if found.is_empty() {
            session.say(&format!("nobody has a port of {range}"));
        } else {
            output::print(&shown(&found))?;
        }
        Ok(0)
    }
}

impl Arguments {
    fn range(&self, host: &Host, session: &Session) -> Result<Range, Error> {
        if let Some(range) = self.range {
            return Ok(range);
        }
        let (first, last) = match (self.start, self.end) {
            (Some(first), Some(last)) => (first, last),
            (start, end) => {
                let types = host.service_types(&|sentence| session.tell(sentence))?.types;
                let ranges: Vec<Range> = types.into_iter().flat_map(|known| known.ranges).collect();
                let lowest = ranges.iter().map(|range| range.first()).min().unwrap_or(Port::MIN);
                let highest = ranges.iter().map(|range| range.last()).max().unwrap_or(Port::MAX);
                (start.unwrap_or(lowest), end.unwrap_or(highest))
            }
        };
        Range::new(first, last).map_err(|error| Error::Usage {
            message: error.to_string(),
            hint: Some("the first port comes first: --start 3000 --end 3099".to_owned()),
        })
    }
}

fn shown(found: &[PortView]) -> String {
    let rows = found.iter().map(|port| {
        let instance = port.lease.as_ref().map(|lease| lease.full_name());
        let address = port.listener.as_ref().map(|listener| listener.address.clone());
        let listener = port.listener.as_ref().map(program);
        [
            port.port.to_string(),
            output::or_none(instance),
            output::or_none(listener),
            output::or_none(address),
        ]
    });
    output::table(["PORT", "LEASED BY", "LISTENER", "ADDRESS"], rows)
}
