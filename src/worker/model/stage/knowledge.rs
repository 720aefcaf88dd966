//! What the agent knows of the files. Only looks.

use super::{OUTPUTS, Stage};
use crate::batch::BatchId;
use crate::source::{Generation, Place};

impl Stage {
    /// The contents of this file that the agent has open.
    fn open_in(&self, inode: u64) -> impl Iterator<Item = &Generation> {
        let agents = self.agent.iter();
        let open = agents.flat_map(|agent| agent.worker.source.generations());
        open.filter(move |it| it.key.inode == inode)
    }

    /// The one that is in this file now, as far as the agent can tell.
    fn present_in(&self, inode: u64) -> Option<&Generation> {
        let mut open = self.open_in(inode);
        open.find(|it| it.place != Place::Gone && !it.is_another())
    }

    /// Whether the agent holds this file open.
    pub(in super::super) fn holds(&self, inode: u64) -> bool {
        self.open_in(inode).any(|it| it.place != Place::Gone)
    }

    /// Whether the agent has seen what is in this file now.
    pub(in super::super) fn has_seen(&self, inode: u64) -> bool {
        self.open_in(inode).any(|it| !it.is_another())
    }

    /// Whether the agent knows that so much is in this file.
    pub(in super::super) fn has_seen_all(&self, inode: u64, len: usize) -> bool {
        let present = self.present_in(inode);
        present.is_some_and(|it| it.seen_len() >= len as u64)
    }

    /// How much the agent has seen of a file that it could never open.
    pub(in super::super) fn seen_unread(&self, inode: u64) -> Option<u64> {
        let worker = &self.agent.as_ref()?.worker;
        let mut known = worker.journal.state().generations.values();
        let was_opened = known.any(|it| it.identity.inode == inode);
        worker.source.seen_unread(inode).filter(|_| !was_opened)
    }

    /// Up to where the agent has read what is in this file now, for each output.
    pub(in super::super) fn read_up_to(&self, inode: u64) -> [u64; 2] {
        let mut read = [0; 2];
        if let (Some(agent), Some(present)) = (&self.agent, self.present_in(inode)) {
            for output in &agent.worker.outputs {
                let is_it = |name: &&str| *name == output.dispatcher.name();
                let which = OUTPUTS.iter().position(is_it).unwrap();
                let position = output.dispatcher.read_position(present.id);
                read[which] = position.map_or(0, |it| it.offset);
            }
        }
        read
    }

    /// The batches on their way.
    pub(in super::super) fn on_the_way(&self) -> Vec<BatchId> {
        let agents = self.agent.iter();
        let batches = agents.flat_map(|agent| agent.worker.journal.state().unacknowledged());
        batches.map(|(id, _)| id).collect()
    }

    /// How many generations the journal knows.
    pub(in super::super) fn known(&self) -> usize {
        let agents = self.agent.iter();
        let known = agents.map(|it| it.worker.journal.state().generations.len());
        known.sum()
    }

    /// What the agent knows, for the one who reads of a failure.
    pub(in super::super) fn told(&self) -> String {
        let Some(agent) = &self.agent else {
            return "no agent".to_owned();
        };
        let open: Vec<_> = (agent.worker.source.generations())
            .map(|it| {
                format!(
                    "{} {} at {} {:?} {} bytes",
                    it.id,
                    it.origin.file_name().unwrap().display(),
                    it.path.file_name().unwrap().display(),
                    it.place,
                    it.size
                )
            })
            .collect();
        open.join("\n")
    }
}
