//! How a job ended.

/// How a job ended, in words that follow systemd's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobResult {
    /// The groups run where they were wanted.
    Done,
    /// They were there already.
    Skipped,
    /// Nothing was begun.
    Refused,
    /// Somebody did not react or was not ready in time; nothing was moved.
    Timeout,
    /// It was called off before it began; or a node died, left or restarted in the middle of it, or hbd stopped.
    Canceled,
    /// Not all of it is where it was wanted: something could not be stopped, or could not be started.
    Failed,
}

impl JobResult {
    /// All of them.
    const ALL: [JobResult; 6] = [
        JobResult::Done,
        JobResult::Skipped,
        JobResult::Refused,
        JobResult::Timeout,
        JobResult::Canceled,
        JobResult::Failed,
    ];

    /// The word on the bus.
    pub fn word(self) -> &'static str {
        match self {
            JobResult::Done => "done",
            JobResult::Skipped => "skipped",
            JobResult::Refused => "refused",
            JobResult::Timeout => "timeout",
            JobResult::Canceled => "canceled",
            JobResult::Failed => "failed",
        }
    }

    /// The result of that word.
    pub fn parse(word: &str) -> Option<JobResult> {
        JobResult::ALL.into_iter().find(|result| result.word() == word)
    }

    /// Whether the groups are where they were wanted.
    pub fn is_success(self) -> bool {
        matches!(self, JobResult::Done | JobResult::Skipped)
    }
}

/// The end of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEnding {
    /// How.
    pub result: JobResult,
    /// The same in a sentence for people.
    pub text: String,
}

impl JobEnding {
    /// With these words.
    pub fn new(result: JobResult, text: impl Into<String>) -> JobEnding {
        JobEnding { result, text: text.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_is_read_as_it_is_written() {
        for result in JobResult::ALL {
            assert_eq!(JobResult::parse(result.word()), Some(result));
        }
        assert_eq!(JobResult::parse("dependency"), None);
    }
}
