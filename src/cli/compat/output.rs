//! What one of Heartbeat's commands prints, and its exit status.

/// The text on standard output and standard error, and the exit status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CommandOutput {
    pub out: String,
    pub err: String,
    pub status: u8,
}

impl CommandOutput {
    pub fn out(text: impl Into<String>, status: u8) -> CommandOutput {
        CommandOutput { out: format!("{}\n", text.into()), status, ..CommandOutput::default() }
    }

    pub fn err(text: impl Into<String>, status: u8) -> CommandOutput {
        CommandOutput { err: format!("{}\n", text.into()), status, ..CommandOutput::default() }
    }
}
