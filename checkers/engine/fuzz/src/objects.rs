//! Objects that answer rightly, so that what they leave behind is linearizable.

/// The state of one key; which of its parts counts is for the model.
#[derive(Default)]
pub struct Object {
    elements: Vec<String>,
    value: Option<String>,
    count: i64,
}

impl Object {
    /// Takes the operation (input as JSON) and answers it, as JSON; `None` where nobody simulates
    /// the model, or the compare-and-set does not match.
    pub fn take(&mut self, model: &str, f: &str, input: &str) -> Option<String> {
        let echo = Some(input.to_owned());
        let null = || "null".to_owned();
        match (model, f) {
            ("register" | "cas-register", "read") | ("consensus", "read") => {
                Some(self.value.clone().unwrap_or_else(null))
            }
            (_, "propose") => Some(self.value.get_or_insert(input.to_owned()).clone()),
            (_, "write") => {
                self.value = echo.clone();
                echo
            }
            (_, "cas") => {
                let (expected, new) = input.trim_matches(['[', ']']).split_once(',')?;
                (self.value.as_deref() == Some(expected))
                    .then(|| self.value = Some(new.to_owned()))?;
                echo
            }
            ("kv", "get") => Some(format!("\"{}\"", self.elements.concat())),
            ("kv", _) => {
                if f == "put" {
                    self.elements.clear();
                }
                self.elements.push(input.trim_matches('"').to_owned());
                echo
            }
            ("counter", "read") => Some(self.count.to_string()),
            ("counter", _) => {
                self.count += input.parse::<i64>().ok()?;
                echo
            }
            (_, "contains") => Some(self.elements.iter().any(|e| e == input).to_string()),
            (_, "remove") => {
                self.elements.retain(|element| element != input);
                echo
            }
            ("log" | "set", "read") => Some(format!("[{}]", self.elements.join(","))),
            (_, "append" | "add" | "enqueue" | "push") => {
                self.elements.push(input.to_owned());
                echo
            }
            ("fifo-queue", _) if self.elements.is_empty() => Some(null()),
            ("fifo-queue", _) => Some(self.elements.remove(0)),
            ("unordered-queue" | "stack", _) => Some(self.elements.pop().unwrap_or_else(null)),
            _ => None,
        }
    }

    /// Are the objects of this model simulated?
    pub fn known(model: &str) -> bool {
        !matches!(model, "lock" | "fenced-lock" | "bank")
    }
}
