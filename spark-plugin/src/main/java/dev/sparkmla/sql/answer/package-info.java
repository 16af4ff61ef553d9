/**
 * Typed answers: what {@code response_format} says in SQL, as the engine is told it, and as the
 * Spark type of the value that an answer is read into.
 *
 * <p>Start at {@link dev.sparkmla.sql.answer.AnswerFormat}. The automaton that holds a text to a
 * format lives in {@link dev.sparkmla.grammar}.
 */
package dev.sparkmla.sql.answer;
