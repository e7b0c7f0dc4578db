//! What the libraries have to say, on standard error: a line for each event.

use std::fmt;
use std::io;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::{FmtSpan, FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::args::noise::Volume;
use crate::render::escape::one_line;

/// Lets the libraries speak.
pub(crate) fn install(volume: Volume) {
    let (level, spans) = match volume {
        Volume::Quiet => (LevelFilter::OFF, FmtSpan::NONE),
        Volume::Normal => (LevelFilter::WARN, FmtSpan::NONE),
        Volume::Verbose => (LevelFilter::INFO, FmtSpan::NONE),
        Volume::Trace => (LevelFilter::TRACE, FmtSpan::CLOSE),
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_span_events(spans)
        .with_writer(io::stderr)
        .with_ansi(false)
        .event_format(OneLine)
        .init();
}

/// `warning: the text`, after the spans that it happened in. Whatever foreign text is in there
/// cannot leave the line.
struct OneLine;

impl<S, N> FormatEvent<S, N> for OneLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warning",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        let mut text = format!("{level}: ");
        let spans = context.event_scope().into_iter();
        for span in spans.flat_map(|scope| scope.from_root()) {
            text += span.name();
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>()
                && !fields.is_empty()
            {
                text += &format!("{{{fields}}}");
            }
            text += ": ";
        }
        context.format_fields(Writer::new(&mut text), event)?;
        writeln!(writer, "{}", one_line(&text))
    }
}
