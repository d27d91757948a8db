//! Work of several owners: bounded in size, and taken in turns.
//!
//! Anybody who may upload can pile up anything. So what is remembered of it is bounded in bytes; beyond that, the owner
//! of most loses some. Everybody gets a turn before anybody gets another.
//!
//! What never happens: one owner's pile takes the room or the turn of others who have less.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};

/// Items by the number of their owner.
#[derive(Debug)]
pub(super) struct Turns<T> {
    heaps: BTreeMap<u32, Heap<T>>,
    bytes: usize,
    most: usize,
    /// The owner who had the last turn.
    last: u32,
    /// How many items of each owner were dropped, and one of them.
    left_out: BTreeMap<u32, (u64, T)>,
}

#[derive(Debug)]
struct Heap<T> {
    things: VecDeque<(T, usize)>,
    bytes: usize,
}

impl<T> Turns<T> {
    /// Room for `most` bytes; the owner after `last` is first.
    pub(super) fn new(most: usize, last: u32) -> Self {
        Self { heaps: BTreeMap::new(), bytes: 0, most, last, left_out: BTreeMap::new() }
    }

    /// Appends an item of `bytes` bytes to its owner's. If there is no room, the last item of whoever has most is
    /// dropped, which may be this one.
    pub(super) fn push(&mut self, owner: u32, thing: T, bytes: usize) {
        while self.bytes.saturating_add(bytes) > self.most {
            let own = self.heaps.get(&owner).map_or(0, |heap| heap.bytes).saturating_add(bytes);
            let largest = self.heaps.iter_mut().max_by_key(|(_, heap)| heap.bytes).filter(|(_, heap)| heap.bytes > own);
            let Some((whose, heap)) = largest else {
                self.left_out.entry(owner).or_insert((0, thing)).0 += 1;
                return;
            };
            let whose = *whose;
            let Some((gone, freed)) = heap.things.pop_back() else { return };
            heap.bytes -= freed;
            self.bytes -= freed;
            if heap.things.is_empty() {
                self.heaps.remove(&whose);
            }
            self.left_out.entry(whose).or_insert((0, gone)).0 += 1;
        }
        let heap = self.heaps.entry(owner).or_insert_with(|| Heap { things: VecDeque::new(), bytes: 0 });
        heap.things.push_back((thing, bytes));
        heap.bytes += bytes;
        self.bytes += bytes;
    }

    /// Takes the next item of the owner whose turn it is.
    pub(super) fn pop(&mut self) -> Option<(u32, T)> {
        let after = self.heaps.range((Excluded(self.last), Unbounded)).next();
        let owner = *after.or_else(|| self.heaps.first_key_value())?.0;
        let heap = self.heaps.get_mut(&owner)?;
        let next = heap.things.pop_front();
        if let Some((_, bytes)) = &next {
            heap.bytes -= bytes;
            self.bytes -= bytes;
        }
        if heap.things.is_empty() {
            self.heaps.remove(&owner);
        }
        self.last = owner;
        next.map(|(thing, _)| (owner, thing))
    }

    /// Sorts each owner's items.
    pub(super) fn sort_by(&mut self, compare: impl Fn(&T, &T) -> Ordering) {
        for heap in self.heaps.values_mut() {
            heap.things.make_contiguous().sort_by(|(one, _), (other, _)| compare(one, other));
        }
    }

    /// How many items of each owner were dropped, and one of them.
    pub(super) fn left_out(&self) -> impl Iterator<Item = (u32, u64, &T)> {
        self.left_out.iter().map(|(owner, (number, one))| (*owner, *number, one))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut turns: Turns<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| turns.pop()).map(|(_, thing)| thing).collect()
    }

    #[test]
    fn everybody_has_a_turn_before_anybody_has_another() {
        let things = [(1, "a1"), (1, "a2"), (1, "a3"), (7, "b1"), (7, "b2"), (u32::MAX, "c1")];
        for (last, order) in [
            (0, ["a1", "b1", "c1", "a2", "b2", "a3"]),
            (1, ["b1", "c1", "a1", "b2", "a2", "a3"]),
            (u32::MAX, ["a1", "b1", "c1", "a2", "b2", "a3"]),
        ] {
            let mut turns = Turns::new(usize::MAX, last);
            things.iter().rev().for_each(|(owner, thing)| turns.push(*owner, *thing, 1));
            turns.sort_by(Ord::cmp);
            assert_eq!(all(turns), order);
        }
    }

    #[test]
    fn who_has_most_gives_way_to_those_who_have_less() {
        let mut turns = Turns::new(100, 0);
        for n in 0..50 {
            turns.push(1, "heap", if n == 0 { 2 } else { 4 });
        }
        for _ in 0..5 {
            turns.push(2, "few", 4);
        }
        turns.push(3, "large", 101);
        assert_eq!(turns.left_out().collect::<Vec<_>>(), [(1, 30, &"heap"), (3, 1, &"large")]);
        assert_eq!((turns.heaps[&1].things.len(), turns.heaps[&2].things.len(), turns.bytes), (20, 5, 98));
        // Two who would each have more than half share.
        for _ in 0..50 {
            turns.push(2, "many", 4);
        }
        assert!(turns.bytes <= 100 && turns.heaps[&1].bytes.abs_diff(turns.heaps[&2].bytes) <= 6, "{turns:?}");
        while turns.pop().is_some() {}
        assert_eq!(turns.bytes, 0);
    }

    #[test]
    fn one_large_thing_that_gave_way_keeps_nobody_from_a_turn() {
        let mut turns = Turns::new(100, 0);
        turns.push(1, "large", 90);
        turns.push(2, "small", 20);
        assert_eq!(turns.left_out().collect::<Vec<_>>(), [(1, 1, &"large")]);
        assert_eq!(all(turns), ["small"]);
    }

    #[test]
    fn what_comes_in_between_has_its_turn() {
        let mut turns = Turns::new(usize::MAX, 0);
        turns.push(1, "a1", 1);
        turns.push(1, "a2", 1);
        assert_eq!(turns.pop(), Some((1, "a1")));
        turns.push(2, "b1", 1);
        turns.push(1, "a3", 1);
        assert_eq!(all(turns), ["b1", "a2", "a3"]);
    }
}
