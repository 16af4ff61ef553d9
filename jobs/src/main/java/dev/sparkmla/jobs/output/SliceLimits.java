package dev.sparkmla.jobs.output;

import java.io.Serializable;
import java.time.Duration;

/**
 * When a slice is committed and the next one begun, whichever comes first.
 *
 * @param rows of a slice at most
 * @param time from its first row on; it ends with the row after that
 */
public record SliceLimits(long rows, Duration time) implements Serializable {}
