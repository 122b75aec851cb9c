CREATE TABLE `taken_paths` (
	`tenant` text NOT NULL,
	`path` text NOT NULL,
	`server_id` text,
	`virtual_id` text,
	PRIMARY KEY(`tenant`, `path`),
	FOREIGN KEY (`server_id`) REFERENCES `servers`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`virtual_id`) REFERENCES `virtual_servers`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `taken_paths_server` ON `taken_paths` (`server_id`);--> statement-breakpoint
CREATE INDEX `taken_paths_virtual` ON `taken_paths` (`virtual_id`);--> statement-breakpoint
CREATE TABLE `virtual_servers` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant` text NOT NULL,
	`path` text NOT NULL,
	`name` text NOT NULL,
	`description` text NOT NULL,
	`instructions` text NOT NULL,
	`owner` text NOT NULL,
	`visibility` text NOT NULL,
	`allowed_groups` text NOT NULL,
	`enabled` integer NOT NULL,
	`items` text NOT NULL,
	`counts` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `virtual_servers_tenant_path` ON `virtual_servers` (`tenant`,`path`);--> statement-breakpoint
CREATE INDEX `catalog_items_key` ON `catalog_items` (`server_id`,`kind`,`key`);--> statement-breakpoint
INSERT INTO `taken_paths` (`tenant`, `path`, `server_id`) SELECT `tenant`, `path`, `id` FROM `servers`;
