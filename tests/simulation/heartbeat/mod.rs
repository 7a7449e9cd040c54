//! Stub.
use crate::machine::Deed;
use hbd::cluster::{Event, Instant, Moment, Settings};
pub struct Heartbeat;
impl Heartbeat {
    pub fn new(_: Settings) -> Self {
        Heartbeat
    }
    pub fn handle(&mut self, _: Moment, _: Event) -> Vec<Deed> {
        Vec::new()
    }
    pub fn next_deadline(&self) -> Option<Instant> {
        None
    }
    pub fn is_stable(&self) -> bool {
        true
    }
}
