/**
 * The SQL functions, such as {@code llm_generate}: from a call in SQL or on a DataFrame to the
 * operator that runs it.
 *
 * <p>Here live the functions, the expression, the rules that move each call to its own operator in
 * the plan, and the operator with its task. The engine behind it lives in {@link
 * dev.sparkmla.plugin}. Start at {@link dev.sparkmla.sql.MlaExtensions}; {@link
 * dev.sparkmla.sql.MlaFunctions} has the functions for DataFrames.
 */
package dev.sparkmla.sql;
