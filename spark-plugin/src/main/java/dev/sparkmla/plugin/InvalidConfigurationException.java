package dev.sparkmla.plugin;

/** A setting that cannot be used: the message names its key, its value and what was expected. */
public final class InvalidConfigurationException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * @param key the setting
   * @param value what it was set to; null where it is not set
   * @param expected what it must be, and what to do
   */
  public InvalidConfigurationException(String key, String value, String expected) {
    super(key + (value == null ? " is not set" : " is '" + value + "'") + ": expected " + expected);
  }
}
