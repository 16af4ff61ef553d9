package dev.sparkmla.plugin.location;

import java.nio.file.Path;

/** Paths that begin at the home of the user who runs the process. */
public final class HomeFolder {
  private HomeFolder() {}

  /**
   * Puts the home for a tilde in front.
   *
   * @throws java.nio.file.InvalidPathException when the text is no path
   */
  public static Path expand(String path) {
    boolean home = path.equals("~") || path.startsWith("~/");
    return Path.of(home ? System.getProperty("user.home") + path.substring(1) : path);
  }
}
