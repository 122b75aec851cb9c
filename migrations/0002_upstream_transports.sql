ALTER TABLE `servers` ADD `transport_choice` text DEFAULT 'auto' NOT NULL;--> statement-breakpoint
ALTER TABLE `servers` ADD `transport_detected_at` integer;--> statement-breakpoint
UPDATE `servers` SET `transport_detected_at` = `discovered_at`;
