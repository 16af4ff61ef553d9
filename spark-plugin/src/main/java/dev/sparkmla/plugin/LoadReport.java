package dev.sparkmla.plugin;

import java.io.Serializable;

/**
 * What an executor tells the driver after it has tried to load the model.
 *
 * @param executor its id
 * @param failure what went wrong; null when it is loaded
 */
record LoadReport(String executor, String failure) implements Serializable {}
