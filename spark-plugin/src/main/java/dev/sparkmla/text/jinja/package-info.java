/**
 * Jinja, as far as chat templates go: templates to text with the semantics of Jinja2 and of
 * Python's values.
 *
 * <p>Here live the lexer, the parser, which builds a tree of small functions, and the values they
 * work on. A rendering has limits (see {@link dev.sparkmla.text.jinja.Budget}). A statement that is
 * not supported is refused when the template is parsed; a filter, a test or a method when it is
 * met, since a branch that never runs may name it. Nothing is passed over. What a chat template is
 * given does not belong here (see {@link dev.sparkmla.text.ChatTemplate}). Start at {@link
 * dev.sparkmla.text.jinja.Template}.
 */
package dev.sparkmla.text.jinja;
