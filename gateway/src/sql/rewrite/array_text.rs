//! Arrays of one dimension as text: each element as its output function has it, which is not always the engine's text.

use duckmesh_catalog::ColumnType;

use super::{Ex, Rewriter, operator::is_text};
use crate::wire::error::PgResult;

impl Rewriter<'_> {
    /// A list of the texts of a list's elements.
    pub fn element_texts(&mut self, list: &Ex, element: &ColumnType) -> PgResult<String> {
        if let ColumnType::System(system) = element
            && system.is_named()
        {
            // Its names are found in the catalog, where no lambda looks: the elements are rows for that.
            let rows = format!("e_{}", self.number());
            let text = self.output(Ex::of(format!("\"{rows}\".\"x\""), element.clone()))?;
            return Ok(format!(
                "(CASE WHEN {list} IS NOT NULL THEN coalesce((SELECT list(\"t\") FROM (SELECT {text} AS \"t\" \
                 FROM (SELECT unnest({list}) AS \"x\") AS \"{rows}\")), []) END)",
                list = list.sql
            ));
        }
        let name = format!("g_{}", self.number());
        let text = self.output(Ex::of(name.clone(), element.clone()))?;
        Ok(match text == name {
            true => list.sql.clone(),
            false => format!("list_transform({}, lambda {name}: {text})", list.sql),
        })
    }

    /// What an output function gives, where that is another text than a cast: `t`, and the spaces of `char(n)`.
    pub fn output(&mut self, ex: Ex) -> PgResult<String> {
        Ok(match ex.ty {
            Some(ColumnType::Bool) => format!("(CASE WHEN {v} THEN 't' WHEN NOT {v} THEN 'f' END)", v = ex.sql),
            Some(ColumnType::Char(n)) => format!("rpad({}, {n}, ' ')", ex.sql),
            _ => self.text_of(ex)?.sql,
        })
    }

    /// The first argument of `array_to_string` as a list of texts.
    pub fn texts_of_first(&mut self, values: &mut [Ex]) -> PgResult<()> {
        let Some(first) = values.first_mut() else { return Ok(()) };
        let Some(ColumnType::Array(element)) = first.ty.clone().filter(|_| !first.is_unknown()) else { return Ok(()) };
        let sql = self.element_texts(first, &element)?;
        *first = Ex::of(sql, ColumnType::Array(Box::new(ColumnType::Text))).at(first.position);
        Ok(())
    }

    /// An array of others as an array of texts, by the cast of each element. None: another cast.
    pub fn cast_to_texts(&mut self, ex: &Ex, ty: &ColumnType) -> PgResult<Option<Ex>> {
        let (Some(ColumnType::Array(from)), ColumnType::Array(to)) = (&ex.ty, ty) else { return Ok(None) };
        let mapped = is_text(to) && !is_text(from) && !matches!(**from, ColumnType::System(_) | ColumnType::Other(_));
        if !mapped || !self.has_functions() {
            return Ok(None);
        }
        let name = format!("g_{}", self.number());
        let each = self.cast(Ex::of(name.clone(), (**from).clone()), to, ex.position)?;
        let sql = match each.sql == name {
            true => ex.sql.clone(),
            false => format!("list_transform({}, lambda {name}: {})", ex.sql, each.sql),
        };
        Ok(Some(Ex::of(sql, ty.clone()).at(ex.position)))
    }
}
