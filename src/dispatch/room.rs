//! What of an output is on its way and how much memory that takes, and whether there is room for
//! more. What waits for somebody may wait for days: it never takes the room of what goes on, and
//! its bodies lie in the journal alone, as far as that has them. Only counts.

use super::MAX_BATCHES;

/// So many batches of an output are on their way at most, those that wait among them: as many can
/// come back at once with the next start.
pub(crate) const MOST_ON_THE_WAY: usize = 4096;
/// What is known of a batch takes about so many bytes of memory beside its body: here, in the
/// journal, and where it is sent.
const BESIDE_THE_BODY: usize = 4096;
/// Bodies that are put away take at most so many times on disk what an output may have in memory.
const MOST_AWAY: usize = 4;

/// Where the body of a batch is, and what the batch does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In memory, and it goes out.
    Going,
    /// In memory, and its stream waits.
    Waiting,
    /// In the journal alone, until something is to be done with it.
    Away,
}

/// The room for the batches of one output.
#[derive(Debug)]
pub(super) struct Room {
    /// Most bytes of bodies in memory.
    budget: usize,
    /// The most bytes that a body takes.
    largest: usize,
    going: Batches,
    waiting: Batches,
    away: Batches,
}

#[derive(Debug, Default, Clone, Copy)]
struct Batches {
    count: usize,
    bytes: usize,
}

impl Room {
    pub(super) fn new(budget: usize, largest: usize) -> Self {
        Self {
            budget,
            largest,
            going: Batches::default(),
            waiting: Batches::default(),
            away: Batches::default(),
        }
    }

    fn at(&mut self, place: Place) -> &mut Batches {
        match place {
            Place::Going => &mut self.going,
            Place::Waiting => &mut self.waiting,
            Place::Away => &mut self.away,
        }
    }

    /// Takes in a batch with a body of so many bytes.
    pub(super) fn add(&mut self, bytes: usize, place: Place) {
        let batches = self.at(place);
        batches.count += 1;
        batches.bytes += bytes;
    }

    /// A batch is no more.
    pub(super) fn remove(&mut self, bytes: usize, place: Place) {
        let batches = self.at(place);
        batches.count -= 1;
        batches.bytes -= bytes;
    }

    /// How many bytes of bodies are on their way, wherever they are, and how many batches.
    pub(super) fn on_the_way(&self) -> (usize, usize) {
        let all = [self.going, self.waiting, self.away];
        let bytes = all.iter().map(|it| it.bytes).sum();
        (bytes, all.iter().map(|it| it.count).sum())
    }

    /// What is to wait takes, without a body that comes back for a moment.
    fn waits(&self) -> usize {
        self.waiting.bytes + self.away.count * BESIDE_THE_BODY
    }

    fn in_memory(&self) -> usize {
        // One body at a time comes back.
        let comes_back = if self.away.count > 0 { self.largest } else { 0 };
        self.going.bytes + self.waits() + comes_back
    }

    /// Whether a body of so many bytes may be in memory beside those that are.
    fn fits(&self, bytes: usize) -> bool {
        self.in_memory() + bytes <= self.budget
    }

    /// Whether one more batch may be made.
    pub(super) fn has_room(&self) -> bool {
        // What goes out has always room for one, until what waits takes all that there is.
        let is_alone = self.going.count == 0 && self.waits() <= self.budget.max(self.largest);
        self.going.count < MAX_BATCHES
            && self.on_the_way().1 < MOST_ON_THE_WAY
            && (is_alone || self.fits(self.largest))
    }

    /// Whether one more body of so many bytes may be put away.
    pub(super) fn may_put_away(&self, bytes: usize) -> bool {
        self.away.bytes + bytes <= MOST_AWAY * self.budget.max(self.largest)
    }

    /// Where a batch of an earlier run begins, whose body lies in the journal or not.
    pub(super) fn place_for(&self, bytes: usize, is_in_journal: bool) -> Place {
        let has_none = self.on_the_way().1 == 0;
        if !is_in_journal || has_none || self.fits(bytes) || !self.may_put_away(bytes) {
            Place::Going
        } else {
            Place::Away
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGEST: usize = 1 << 20;
    const BUDGET: usize = 13 << 20;

    /// As many batches of this size as have room are made, and put at that place.
    fn fill(room: &mut Room, bytes: usize, place: Place) -> usize {
        let mut made = 0;
        while room.has_room() && (place != Place::Away || room.may_put_away(bytes)) {
            room.add(bytes, place);
            made += 1;
        }
        made
    }

    #[test]
    fn what_goes_out_fills_the_budget_and_no_more() {
        let mut room = Room::new(BUDGET, LARGEST);
        assert_eq!(fill(&mut room, LARGEST, Place::Going), 13);
        room.remove(LARGEST, Place::Going);
        assert!(room.has_room());
        let mut room = Room::new(BUDGET, LARGEST);
        assert_eq!(fill(&mut room, 10, Place::Going), MAX_BATCHES);
        let mut room = Room::new(0, LARGEST);
        assert_eq!(fill(&mut room, LARGEST, Place::Going), 1, "one at a time");
    }

    #[test]
    fn what_is_put_away_leaves_room_for_the_others() {
        let mut room = Room::new(BUDGET, LARGEST);
        let away = fill(&mut room, LARGEST, Place::Away);
        assert_eq!(away, 4 * 13);
        // A body that comes back has room too.
        assert_eq!(fill(&mut room, LARGEST, Place::Going), 11);
        assert_eq!(room.on_the_way(), ((52 + 11) * LARGEST, 52 + 11));
    }

    #[test]
    fn small_batches_that_wait_take_the_turn_of_no_other() {
        let mut room = Room::new(BUDGET, LARGEST);
        for _ in 0..10 * MAX_BATCHES {
            assert!(room.has_room() && room.may_put_away(10));
            room.add(10, Place::Away);
        }
        assert!(room.has_room());
        // Their number is bounded all the same: something is known of each.
        let more = fill(&mut room, 10, Place::Away);
        assert!(more < MOST_ON_THE_WAY - 10 * MAX_BATCHES, "{more}");
    }

    #[test]
    fn what_waits_in_memory_leaves_room_for_one_until_it_takes_all() {
        let mut room = Room::new(BUDGET, LARGEST);
        let waiting = fill(&mut room, LARGEST, Place::Waiting);
        // The last one was made when the budget was just full.
        assert_eq!(waiting, 14);
        room.remove(LARGEST, Place::Waiting);
        room.add(LARGEST, Place::Going);
        assert!(!room.has_room(), "one at a time");
        room.remove(LARGEST, Place::Going);
        assert!(room.has_room());
    }

    #[test]
    fn what_comes_back_with_a_start_stays_within_the_budget() {
        let mut room = Room::new(BUDGET, LARGEST);
        let places: Vec<_> = (0..30)
            .map(|_| {
                let place = room.place_for(LARGEST, true);
                room.add(LARGEST, place);
                place
            })
            .collect();
        let going = places.iter().filter(|it| **it == Place::Going).count();
        assert_eq!(going, 13);
        assert_eq!(room.place_for(LARGEST, false), Place::Going);
    }
}
