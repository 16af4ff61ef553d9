/**
 * The part of Jinja that chat templates use: renders templates to text with the semantics of Jinja2
 * and of Python's values.
 *
 * <p>Here live the lexer, the parser, which builds a tree of small functions, and the values on
 * which they work. A rendering has limits (see {@link dev.sparkmla.text.jinja.Budget}). An
 * unsupported statement is an error when the template is parsed. An unknown filter, test or method
 * is an error only when it is evaluated, because a branch that never runs may name it. Nothing is
 * ignored. What a chat template is given is decided in {@link dev.sparkmla.text.ChatTemplate}.
 * Start at {@link dev.sparkmla.text.jinja.Template}.
 */
package dev.sparkmla.text.jinja;
