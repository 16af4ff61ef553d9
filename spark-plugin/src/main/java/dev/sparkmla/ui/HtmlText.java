package dev.sparkmla.ui;

import java.util.Locale;

/** How pages spell texts and figures. */
public final class HtmlText {
  private HtmlText() {}

  /** A text that may hold anything, for use in an element or in a quoted attribute. */
  public static String escape(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;")
        .replace("'", "&#39;");
  }

  /** A heading with an id, by which it can be found. */
  public static String heading(String id, String text) {
    return "<h4 id=\"" + id + "\">" + escape(text) + "</h4>";
  }

  /** A number with commas between thousands; with a decimal where it is small. */
  public static String number(double value) {
    return String.format(Locale.ROOT, value < 100 && value % 1 != 0 ? "%.1f" : "%,.0f", value);
  }

  /** A part of a whole in percent; a dash where there is no whole. */
  public static String percent(double part, double whole) {
    return whole == 0 ? "–" : String.format(Locale.ROOT, "%.1f %%", 100 * part / whole);
  }

  /** A time in milliseconds, in the unit that suits it. */
  public static String time(double millis) {
    if (millis < 1000) {
      return number(millis) + " ms";
    }
    return millis < 120_000 ? number(millis / 1000) + " s" : number(millis / 60_000) + " min";
  }
}
