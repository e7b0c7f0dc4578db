//! Chance that can be repeated: SplitMix64, which is a few lines, needs no memory, and is good
//! enough to decide what a neighbour does next.

/// A source of numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    /// One of many sources that follow from a seed.
    pub(super) fn of(seed: u64, number: u64) -> Chance {
        let mut chance = Chance(seed);
        chance.0 ^= Chance(number).next();
        chance
    }

    /// Another one, for somebody else.
    pub(super) fn split(&mut self) -> Chance {
        Chance(self.next())
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 if that is 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        match end as u64 {
            0 => 0,
            end => (self.next() % end) as usize,
        }
    }

    /// True once in `many` times.
    pub(super) fn once_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    /// One of these.
    pub(super) fn one_of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        all.get(self.below(all.len())).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let numbers = |seed, number| {
            let mut chance = Chance::of(seed, number);
            [0; 8].map(|_| chance.below(1000))
        };
        assert_eq!(numbers(1, 2), numbers(1, 2));
        assert_ne!(numbers(1, 2), numbers(1, 3));
        assert_ne!(numbers(1, 2), numbers(2, 2));
        assert_eq!(Chance::of(1, 1).below(0), 0);
        assert_eq!(Chance::of(1, 1).one_of::<u8>(&[]), None);
    }
}
