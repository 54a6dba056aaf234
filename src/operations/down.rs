//! `down`: the services of a project are stopped, those first that others are needed by.

use super::{
    error::Error,
    host::{Host, Tell},
    lineup::Lineup,
    stop::Haste,
    view::Answer,
};
use crate::registry::Holder;

impl Host {
    /// Stops them in the reverse order of their start; tells of each that was there.
    pub fn down(
        &self,
        lineup: &Lineup,
        told: &mut dyn FnMut(&str, &Answer),
        tell: &Tell<'_>,
    ) -> Result<Vec<(String, Answer)>, Error> {
        let mut stopped = Vec::new();
        let mut failed = None;
        for member in lineup.members.iter().rev() {
            let registry = self.read(tell)?;
            let lease = registry.instance(&member.instance).and_then(|it| it.lease.as_ref());
            // A reservation is nobody's who would have to be stopped.
            let supervised = lease.filter(|lease| matches!(lease.holder, Holder::Supervisor));
            let Some(lease) = supervised else { continue };
            match self.stop(lease.lock_id.as_str(), Haste::None, tell) {
                Ok(answer) => {
                    told(&member.name, &answer);
                    stopped.push((member.name.clone(), answer));
                }
                // It has ended meanwhile.
                Err(Error::Reference(_)) => {}
                // The others are stopped all the same.
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(stopped), Err)
    }
}
