package dev.sparkmla.jobs.input;

/**
 * How an input is read.
 *
 * @param promptColumn the column that holds prompts, in any case
 * @param promptAsText whether a prompt that is no text is taken as one
 * @param withColumns whether JSON objects are to become columns; else they stay as they are written
 */
public record ReadOptions(String promptColumn, boolean promptAsText, boolean withColumns) {}
