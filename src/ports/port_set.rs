//! A set of ports, one bit each: 8 KiB however many ports it holds.
//!
//! Pure.

use super::Port;

/// A set of ports.
#[derive(Debug, Clone)]
pub struct PortSet([u64; 1024]);

impl Default for PortSet {
    fn default() -> Self {
        Self([0; 1024])
    }
}

impl PortSet {
    /// Puts the port in; false when it is there already.
    pub fn insert(&mut self, port: Port) -> bool {
        let (word, bit) = place(port);
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }

    /// Whether the port is there.
    pub fn contains(&self, port: Port) -> bool {
        let (word, bit) = place(port);
        self.0[word] & bit != 0
    }
}

fn place(port: Port) -> (usize, u64) {
    let number = usize::from(port.number());
    (number / 64, 1 << (number % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_there_once_it_was_put_in() {
        let mut set = PortSet::default();
        for port in [Port::MIN, Port::known(63), Port::known(64), Port::MAX] {
            assert!(!set.contains(port));
            assert!(set.insert(port));
            assert!(!set.insert(port));
            assert!(set.contains(port));
        }
        assert!(!set.contains(Port::known(65)));
    }
}
