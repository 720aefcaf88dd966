//! Which contents of a log begin alike.

use super::{Files, Lies};
use crate::span::PROOF_ENOUGH;

impl Files {
    /// The lines that a content begins with as later ones of its log do.
    pub(in super::super) fn shared_by(&self, id: usize) -> impl Iterator<Item = &String> {
        let later = (id + 1..self.contents.len()).map(|later| self.shared(id, later));
        let most = later.max().unwrap_or(0);
        let lines = &self.contents[id].lines;
        lines[..most].iter().map(|(line, _)| line)
    }

    /// The contents that may be taken for others of their logs, and how much of each: what was `copied`
    /// and is no more than another one begins with, and whatever begins with the same 4 KiB as
    /// another.
    pub(in super::super) fn alike(&self, copied: &[Lies]) -> impl Iterator<Item = (usize, usize)> {
        let is_short = |it: &&Lies| (it.len as u64) < PROOF_ENOUGH;
        let copied = copied.iter().filter(is_short);
        let copied = copied.filter(|it| self.shared_len(it.content) >= it.len);
        let all = (0..).zip(&self.contents);
        let all = all.filter(|(id, _)| self.shared_len(*id) as u64 >= PROOF_ENOUGH);
        let copied = copied.map(|it| (it.content, it.len));
        copied.chain(all.map(|(id, it)| (id, it.len)))
    }

    /// With how many bytes of whole lines another content of its log begins as this one does.
    fn shared_len(&self, id: usize) -> usize {
        let others = (0..self.contents.len()).filter(|other| *other != id);
        let shared = others.map(|other| self.shared(id, other)).max();
        let shared = &self.contents[id].lines[..shared.unwrap_or(0)];
        shared.last().map_or(0, |(_, end)| *end)
    }

    /// With how many of the same lines two contents of a log begin.
    fn shared(&self, a: usize, b: usize) -> usize {
        let [a, b] = [a, b].map(|id| &self.contents[id]);
        let pairs = a.lines.iter().zip(&b.lines).filter(|_| a.log == b.log);
        pairs.take_while(|(a, b)| a.0 == b.0).count()
    }
}
