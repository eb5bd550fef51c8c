//! Stateful statements of sets and elements, and the expressions they are in the kernel.

use rulectl_ruleset::expr::Expr;
use rulectl_ruleset::ir::{Counter, Limit, LimitUnit, Quota, Statement, TimeUnit};

/// The expression of a statement that an element can carry; `None` for statements that keep no state.
pub(crate) fn expr(statement: &Statement) -> Option<Expr> {
    Some(match statement {
        Statement::Counter(Counter { packets, bytes }) => Expr::Counter { packets: *packets, bytes: *bytes },
        Statement::Limit(limit) => limit_expr(limit),
        Statement::Quota(Quota { over, bytes, used }) => {
            Expr::Quota { bytes: *bytes, consumed: *used, inverted: *over }
        }
        Statement::ConnLimit { over, count } => Expr::Connlimit { count: *count, inverted: *over },
        Statement::Last { used_ms } => Expr::Last { set: used_ms.is_some(), msecs: used_ms.unwrap_or(0) },
        _ => return None,
    })
}

/// The expression of a limit.
pub(crate) fn limit_expr(limit: &Limit) -> Expr {
    Expr::Limit {
        rate: limit.rate,
        unit: limit.per.seconds(),
        burst: limit.burst,
        kind: limit.unit,
        inverted: limit.over,
    }
}

/// The limit of an expression's fields; `None` for a span of time that has no name.
pub(crate) fn limit(rate: u64, unit: u64, burst: u32, kind: LimitUnit, inverted: bool) -> Option<Limit> {
    let units = [TimeUnit::Second, TimeUnit::Minute, TimeUnit::Hour, TimeUnit::Day, TimeUnit::Week];
    let per = units.into_iter().find(|candidate| candidate.seconds() == unit)?;
    Some(Limit { over: inverted, rate, unit: kind, per, burst })
}

/// The statement of an expression that keeps state; `None` for any other.
pub(crate) fn statement(expr: &Expr) -> Option<Statement> {
    Some(match *expr {
        Expr::Counter { packets, bytes } => Statement::Counter(Counter { packets, bytes }),
        Expr::Limit { rate, unit, burst, kind, inverted } => {
            Statement::Limit(limit(rate, unit, burst, kind, inverted)?)
        }
        Expr::Quota { bytes, consumed, inverted } => Statement::Quota(Quota { over: inverted, bytes, used: consumed }),
        Expr::Connlimit { count, inverted } => Statement::ConnLimit { over: inverted, count },
        Expr::Last { set, msecs } => Statement::Last { used_ms: set.then_some(msecs) },
        _ => return None,
    })
}
