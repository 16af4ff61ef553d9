package dev.sparkmla.ui;

import java.util.Locale;
import scala.xml.Utility;

/** Writes texts and figures for pages in HTML. Thread-safe. */
public final class HtmlText {
  private HtmlText() {}

  /** Escapes any text for use in an element or in an attribute in double quotes. */
  public static String escape(String text) {
    return Utility.escape(text);
  }

  /** A heading with an id, which links and tests use. The text is escaped. */
  public static String heading(String id, String text) {
    return "<h4 id=\"" + id + "\">" + escape(text) + "</h4>";
  }

  /** An attribute with a text that is shown while the pointer is on the element; empty for none. */
  static String explanation(String text) {
    return text.isEmpty() ? "" : " title=\"" + escape(text) + "\"";
  }

  /**
   * A number with commas between thousands, and with one decimal place where it is below 100 and
   * not an integer.
   */
  public static String number(double value) {
    return String.format(Locale.ROOT, value < 100 && value % 1 != 0 ? "%.1f" : "%,.0f", value);
  }

  /** A part of a whole in percent; a dash where the whole is 0. */
  public static String percent(double part, double whole) {
    return whole == 0 ? "–" : String.format(Locale.ROOT, "%.1f %%", 100 * part / whole);
  }

  /** A time, which is given in milliseconds, in milliseconds, seconds or minutes. */
  public static String time(double millis) {
    if (millis < 1000) {
      return number(millis) + " ms";
    }
    return millis < 120_000 ? number(millis / 1000) + " s" : number(millis / 60_000) + " min";
  }
}
