/**
 * What is wrong with a JSON text, in words for the person who wrote it.
 *
 * <p>Reading JSON does not live here: each room reads its files with Jackson and limits of its own.
 */
package dev.sparkmla.json;
