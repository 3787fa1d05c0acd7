//! The one owner of the output: data to standard output, everything else to standard error.

use std::io::{self, IsTerminal, Write};
use std::panic::{self, PanicHookInfo};

use serde::Serialize;
use serde_json::{Value, json};

use super::failure::Failure;
use crate::report::{Paint, diagnostics};

/// Width where the output is no terminal.
const PIPE_WIDTH: usize = 120;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Text,
    Json,
    /// one JSON object a line for each event, as it comes (commands that write)
    Ndjson,
    /// for a comment on a pull request (`plan` and `report merge` only)
    Markdown,
}

impl Format {
    pub fn is_for_programs(self) -> bool {
        matches!(self, Self::Json | Self::Ndjson)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    Auto,
    Always,
    Never,
}

#[derive(Clone, Debug)]
pub struct Terminal {
    pub format: Format,
    pub verbose: bool,
    color: ColorChoice,
}

impl Terminal {
    pub fn new(format: Format, color: ColorChoice, verbose: bool) -> Self {
        Self { format, verbose, color }
    }

    pub fn is_interactive(&self) -> bool {
        io::stderr().is_terminal()
    }

    /// How to write to standard output.
    pub fn paint(&self) -> Paint {
        self.paint_for(io::stdout().is_terminal())
    }

    /// How to write to standard error.
    pub fn error_paint(&self) -> Paint {
        self.paint_for(io::stderr().is_terminal())
    }

    fn paint_for(&self, is_terminal: bool) -> Paint {
        let color = match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            // <https://no-color.org>: any value but an empty one.
            ColorChoice::Auto => {
                let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                is_terminal && !no_color && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        };
        let width = if is_terminal { terminal_width() } else { PIPE_WIDTH };
        Paint { color, width }
    }

    /// Data.
    pub fn print(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        if !text.is_empty() && !text.ends_with('\n') {
            out.write_all(b"\n")?;
        }
        out.flush()?;
        Ok(())
    }

    pub fn print_json(&self, value: &impl Serialize) -> Result<(), Failure> {
        self.print(&serde_json::to_string_pretty(value).map_err(io::Error::from)?)
    }

    pub fn print_json_line(&self, value: &impl Serialize) -> Result<(), Failure> {
        self.print(&serde_json::to_string(value).map_err(io::Error::from)?)
    }

    /// Status and progress. Nobody reading it is no reason to stop.
    pub fn say(&self, text: &str) {
        let mut err = io::stderr().lock();
        let _ = err.write_all(text.as_bytes());
        if !text.is_empty() && !text.ends_with('\n') {
            let _ = err.write_all(b"\n");
        }
    }

    /// As `say`, where text is what was asked for.
    pub fn note(&self, text: &str) {
        if !self.format.is_for_programs() {
            self.say(text);
        }
    }

    /// On one line where every line is an object.
    fn say_json(&self, value: &Value) {
        self.say(&if self.format == Format::Ndjson { value.to_string() } else { format!("{value:#}") });
    }

    pub fn fail(&self, failure: &Failure) {
        let (message, remedy, extra) = match failure {
            Failure::ClosedPipe => return,
            Failure::Specs(findings) => {
                match self.format {
                    Format::Json | Format::Ndjson => self.say_json(&diagnostics::to_json(findings)),
                    Format::Text | Format::Markdown => self.say(&diagnostics::render(findings, self.error_paint().color)),
                }
                return;
            }
            Failure::Aws(error) => (error.to_string(), error.remedy(), json!({ "action": error.action, "code": error.code })),
            Failure::Other { message, remedy } => (message.clone(), remedy.clone(), json!({})),
        };
        match self.format {
            Format::Json | Format::Ndjson => {
                let mut error = json!({ "message": message, "remedy": remedy });
                if let (Some(error), Value::Object(extra)) = (error.as_object_mut(), extra) {
                    error.extend(extra);
                }
                self.say_json(&json!({ "errors": [error] }));
            }
            Format::Text | Format::Markdown => {
                let bold = |text: &str, color: anstyle::AnsiColor| match self.error_paint().color {
                    true => {
                        let style = anstyle::Style::new().bold().fg_color(Some(color.into()));
                        format!("{style}{text}{style:#}")
                    }
                    false => text.to_string(),
                };
                self.say(&format!("{}: {message}", bold("error", anstyle::AnsiColor::Red)));
                if !remedy.is_empty() {
                    self.say(&format!("  {}: {remedy}", bold("next", anstyle::AnsiColor::Cyan)));
                }
            }
        }
    }

    /// From now on a fault of tierctl's own is told like any other failure.
    pub fn report_faults(&self) {
        let terminal = self.clone();
        panic::set_hook(Box::new(move |fault| terminal.fail(&describe_fault(fault))));
    }

    /// Asks before writing. Without a terminal nobody can answer, and nothing is written.
    pub async fn confirm(&self, question: &str) -> Result<bool, Failure> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(Failure::usage(
                "nothing has been changed: there is no terminal to ask on",
                "look at the plan above, then run the command again with --yes",
            ));
        }
        {
            let mut err = io::stderr().lock();
            write!(err, "{question} Only `yes` is taken as one: ")?;
            err.flush()?;
        }
        // On a thread of its own, so that Ctrl-C is seen meanwhile.
        let answer = tokio::task::spawn_blocking(|| {
            let mut answer = String::new();
            io::stdin().read_line(&mut answer).map(|_| answer)
        });
        Ok(answer.await.map_err(io::Error::other)??.trim() == "yes")
    }
}

fn describe_fault(fault: &PanicHookInfo<'_>) -> Failure {
    let place = fault.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
    let what = fault.payload_as_str().unwrap_or("no more is known");
    Failure::usage(
        format!("this is a fault of tierctl itself{place}: {what}"),
        "run the same command again: it picks up what is there. If it comes back, report these lines to who gave you tierctl",
    )
}

fn terminal_width() -> usize {
    let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let mut table = comfy_table::Table::new();
    // Progress is drawn on the terminal where the data goes into a pipe.
    if !io::stdout().is_terminal() {
        table.use_stderr();
    }
    asked.unwrap_or_else(|| table.width().map_or(PIPE_WIDTH, usize::from)).max(40)
}
