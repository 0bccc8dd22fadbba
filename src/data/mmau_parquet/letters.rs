//! The letters in front of options, `(A) ` and so on, taken off. They must run in order from A: anything else is another layout, and a text
//! that only looks lettered would lose its beginning.

use std::ops::RangeInclusive;

const LETTERS: RangeInclusive<char> = 'A'..='Z';

/// The options without their letters; `None` among them is null.
///
/// # Errors
/// The one that lacks its letter, by its place.
pub(super) fn choices(lettered: &[Option<String>]) -> Result<Vec<String>, String> {
    if !(2..=LETTERS.count()).contains(&lettered.len()) {
        return Err(format!("choices: expected a list of 2 to 26 texts, found {}", lettered.len()));
    }
    let one = |(letter, text): (char, &Option<String>)| {
        let expected = format!("choices: expected \"({letter}) …\" as the option of that place");
        let text = text.as_deref().ok_or_else(|| format!("{expected}, found null"))?;
        let bare = text.strip_prefix(&format!("({letter}) "));
        bare.map(str::to_owned).ok_or_else(|| format!("{expected}, found {text:?}"))
    };
    LETTERS.zip(lettered).map(one).collect()
}

/// The answer without its letter; a blank one is withheld and stays blank.
///
/// # Errors
/// It is not one of the options with that option's letter.
pub(super) fn answer(lettered: &str, choices: &[String]) -> Result<String, String> {
    if lettered.is_empty() {
        return Ok(String::new());
    }
    let is = |(letter, choice): &(char, &String)| {
        lettered.strip_prefix(&format!("({letter}) ")).is_some_and(|text| text == *choice)
    };
    let found = LETTERS.zip(choices).find(is).map(|(_, choice)| choice.clone());
    found.ok_or_else(|| format!("answer: expected one of the choices with its letter, found {lettered:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(texts: &[&str]) -> Vec<Option<String>> {
        texts.iter().map(|text| Some((*text).to_owned())).collect()
    }

    #[test]
    fn only_the_letter_of_the_place_and_one_blank_are_taken_off() {
        let found = choices(&list(&["(A) one", "(B)  two", "(C) (A) three", "(D) "])).unwrap();
        assert_eq!(found, ["one", " two", "(A) three", ""], "what follows the first blank belongs to the option");
        for (wrong, says) in [
            (&["(A) one", "(C) two"][..], "\"(B) …\" as the option of that place, found \"(C) two\""),
            (&["(A) one", "two"], "found \"two\""),
            (&["(A) one", "(B)two"], "found \"(B)two\""),
            (&["(a) one", "(B) two"], "\"(A) …\""),
            (&[" (A) one", "(B) two"], "\"(A) …\""),
        ] {
            let error = choices(&list(wrong)).unwrap_err();
            assert!(error.starts_with("choices: ") && error.contains(says), "{error}");
        }
        assert!(
            choices(&[list(&["(A) one"]), vec![None]].concat())
                .unwrap_err()
                .contains("\"(B) …\" as the option of that place, found null")
        );
        assert!(choices(&list(&["(A) one"])).unwrap_err().contains("found 1"));
        let many: Vec<Option<String>> = LETTERS.map(|letter| Some(format!("({letter}) x"))).collect();
        assert_eq!(choices(&many).unwrap().len(), 26);
        assert!(choices(&[many, list(&["([) x"])].concat()).unwrap_err().contains("found 27"));
    }

    #[test]
    fn the_answer_is_an_option_with_its_own_letter_or_blank() {
        let options: Vec<String> = ["Man", "Woman", "Man"].map(str::to_owned).into();
        assert_eq!(answer("(B) Woman", &options).unwrap(), "Woman");
        assert_eq!(answer("(C) Man", &options).unwrap(), "Man", "the same option twice");
        assert_eq!(answer("", &options).unwrap(), "");
        for wrong in ["Man", "(A) Woman", "(D) Man", "(A) man", "(A)", " "] {
            assert!(answer(wrong, &options).unwrap_err().contains(&format!("found {wrong:?}")), "{wrong}");
        }
    }
}
