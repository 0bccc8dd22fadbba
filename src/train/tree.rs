//! A question's completions as a tree: what they begin with in common is computed once, and equal completions are computed once altogether.

/// Tokens in preorder: behind a token stand all that continue it, up to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tree {
    /// Token ids, each completion token once for all completions that begin the same way up to it.
    pub tokens: Vec<i64>,
    /// Of each token, the one before it; `None` at the beginning of a completion.
    pub before: Vec<Option<usize>>,
    /// Of each token, how many stand before it in its completion.
    pub depths: Vec<usize>,
    /// Of each token, the first index behind everything that continues it.
    pub ends: Vec<usize>,
    /// Of each completion, the indices of its tokens.
    pub paths: Vec<Vec<usize>>,
}

impl Tree {
    /// Completions in any order.
    pub fn new(completions: &[&[i64]]) -> Self {
        let (tokens, before, depths, ends) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut tree = Self { tokens, before, depths, ends, paths: vec![Vec::new(); completions.len()] };
        // Sorted, those that share a beginning are neighbours.
        let mut order: Vec<usize> = (0..completions.len()).collect();
        order.sort_by(|&a, &b| completions[a].cmp(completions[b]));
        let (mut last, mut path): (&[i64], Vec<usize>) = (&[], Vec::new());
        for index in order {
            let completion = completions[index];
            let common = last.iter().zip(completion).take_while(|(a, b)| a == b).count();
            tree.close(path.drain(common..));
            for (depth, &token) in completion.iter().enumerate().skip(common) {
                tree.before.push(path.last().copied());
                tree.depths.push(depth);
                tree.ends.push(0);
                path.push(tree.tokens.len());
                tree.tokens.push(token);
            }
            tree.paths[index].clone_from(&path);
            last = completion;
        }
        tree.close(path.into_iter());
        tree
    }

    fn close(&mut self, done: impl Iterator<Item = usize>) {
        done.for_each(|index| self.ends[index] = self.tokens.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn every_completion_is_a_path_and_every_beginning_stands_once(
            completions in proptest::collection::vec(proptest::collection::vec(0i64..3, 1..6), 1..9),
        ) {
            let all: Vec<&[i64]> = completions.iter().map(Vec::as_slice).collect();
            let tree = Tree::new(&all);
            for (completion, path) in completions.iter().zip(&tree.paths) {
                let said: Vec<i64> = path.iter().map(|&i| tree.tokens[i]).collect();
                prop_assert_eq!(&said, completion);
                for (depth, &i) in path.iter().enumerate() {
                    prop_assert_eq!(tree.depths[i], depth);
                    prop_assert_eq!(tree.before[i], depth.checked_sub(1).map(|before| path[before]));
                    // Seen by itself and by what continues it alone.
                    let seen_by: Vec<usize> = (0..tree.tokens.len()).filter(|&j| i <= j && j < tree.ends[i]).collect();
                    let continues = |mut j: usize| loop {
                        if j == i { break true; }
                        match tree.before[j] { Some(before) => j = before, None => break false }
                    };
                    let expected: Vec<usize> = (0..tree.tokens.len()).filter(|&j| continues(j)).collect();
                    prop_assert_eq!(seen_by, expected);
                }
            }
            let beginnings: BTreeSet<&[i64]> = all.iter().flat_map(|c| (1..=c.len()).map(move |n| &c[..n])).collect();
            prop_assert_eq!(tree.tokens.len(), beginnings.len());
        }
    }
}
