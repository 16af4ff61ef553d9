package dev.sparkmla.plugin;

import dev.sparkmla.metrics.EngineReport;
import java.io.Serializable;

/**
 * What an executor that ends tells the driver of its engines, without waiting for an answer.
 * Immutable.
 *
 * @param report the last figures
 */
record LastReport(EngineReport report) implements Serializable {}
