//! The parts of a step: which questions go through the model together.

/// Parts of at most `most` questions and, where there is a budget, of at most so many tokens, padding included; a question that is longer than the budget
/// goes alone. Questions of like length go together, so that padding is little, unless there is nothing to choose: one part, or one question a part,
/// keep the order of `lengths`, the tokens of each question's row.
pub fn parts(lengths: &[usize], most: usize, budget: Option<usize>) -> Vec<Vec<usize>> {
    let fits = |count: usize, longest: usize| count <= most && budget.is_none_or(|tokens| count * longest <= tokens);
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    if most > 1 && !fits(lengths.len(), lengths.iter().copied().max().unwrap_or(0)) {
        order.sort_by_key(|&i| lengths[i]);
    }
    let mut parts: Vec<Vec<usize>> = Vec::new();
    let mut longest = 0;
    for i in order {
        longest = longest.max(lengths[i]);
        match parts.last_mut() {
            Some(part) if fits(part.len() + 1, longest) => part.push(i),
            _ => {
                longest = lengths[i];
                parts.push(vec![i]);
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_question_is_in_one_part_and_parts_keep_their_bounds(
            lengths in proptest::collection::vec(1usize..50, 1..20), most in 1usize..21, budget in proptest::option::of(1usize..300),
        ) {
            let parts = parts(&lengths, most, budget);
            let mut all: Vec<usize> = parts.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..lengths.len()).collect::<Vec<_>>());
            for part in &parts {
                let longest = part.iter().map(|&i| lengths[i]).max().unwrap();
                prop_assert!(part.len() <= most);
                prop_assert!(part.len() == 1 || budget.is_none_or(|tokens| part.len() * longest <= tokens));
            }
        }

        #[test]
        fn no_part_could_have_gone_with_the_next(
            lengths in proptest::collection::vec(1usize..50, 1..20), most in 2usize..21, tokens in 1usize..300,
        ) {
            for pair in parts(&lengths, most, Some(tokens)).windows(2) {
                let next = pair[1].iter().map(|&i| lengths[i]).min().unwrap();
                prop_assert!(pair[0].len() == most || (pair[0].len() + 1) * next > tokens);
            }
        }
    }

    #[test]
    fn like_lengths_go_together_where_there_is_a_choice() {
        assert_eq!(parts(&[30, 10, 31, 11], 2, None), [vec![1, 3], vec![0, 2]]);
        assert_eq!(parts(&[30, 10, 31, 11], 4, Some(62)), [vec![1, 3], vec![0, 2]]);
        assert_eq!(parts(&[30, 10, 31, 11], 4, None), [vec![0, 1, 2, 3]]);
        assert_eq!(parts(&[30, 10, 31, 11], 1, None), [vec![0], vec![1], vec![2], vec![3]]);
        assert_eq!(parts(&[30, 10], 2, Some(5)), [vec![1], vec![0]]);
    }
}
