/** The notifications of a config, each with its way to somebody. */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { type EmailSettings, email } from "./email.ts";
import { type Deliver, Notifier, type Subscription } from "./notifier.ts";
import { type WebhookSettings, webhook } from "./webhook.ts";

export interface NotificationSettings extends Subscription {
  readonly webhook?: WebhookSettings;
  readonly email?: EmailSettings;
}

/** @param node  how the node calls itself */
export function createNotifiers(
  all: readonly NotificationSettings[],
  node: string,
  system: { readonly log: Log; readonly clock: Clock },
): readonly Notifier[] {
  return all.flatMap((settings) => {
    const ways: readonly (Deliver | undefined)[] = [
      settings.webhook && webhook(settings.webhook, node),
      settings.email && email(settings.email, node),
    ];
    return ways.filter((way) => way !== undefined).map((way) => new Notifier(settings, way, system));
  });
}
