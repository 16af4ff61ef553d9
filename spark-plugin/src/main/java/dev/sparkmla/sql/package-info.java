/**
 * {@code llm_generate}: from a call in SQL or on a DataFrame to an operator that runs it.
 *
 * <p>Here live the functions, the expression, the rules that give each call a place of its own in
 * the plan, and the operator with its task. The engine behind it lives in {@link
 * dev.sparkmla.plugin}. Start at {@link dev.sparkmla.sql.MlaExtensions}; {@link
 * dev.sparkmla.sql.MlaFunctions} is the DataFrame's side.
 */
package dev.sparkmla.sql;
